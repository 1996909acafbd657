"""An OAuth 2.0 authorization server on AWS Chalice. docs/architecture.md tells the shape."""
