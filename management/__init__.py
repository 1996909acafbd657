"""What `manage.py` does. Not shipped to Lambda."""
