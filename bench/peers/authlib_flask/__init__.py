"""Authlib's authorization server on Flask and SQLAlchemy, after its documentation."""
