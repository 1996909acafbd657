"""django-oauth-toolkit on Django and SQLite."""
