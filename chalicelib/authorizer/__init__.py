"""The Lambda authorizer: Bearer tokens in, API Gateway policies out. The hot path imports little."""
