"""The protocol: pure Python over the models. Knows no Chalice and no HTML."""
