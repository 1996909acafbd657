"""What the server tells about itself: RFC 8414, and RFC 9728 for the API that it protects."""

from typing import Any

from chalicelib.oauth.authorization import RESPONSE_MODES
from chalicelib.oauth.client_assertion import ALGORITHMS
from chalicelib.oauth.grants import GRANT_TYPES
from chalicelib.settings import settings

CONFIDENTIAL_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


def authorization_server(issuer: str) -> dict[str, Any]:
    """Return the authorization server metadata (RFC 8414 section 2).

    Args:
        issuer: the issuer identifier; all endpoints lie below it.
    """
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "device_authorization_endpoint": f"{issuer}/oauth2/device_authorization",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "scopes_supported": list(settings.scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": [*CONFIDENTIAL_METHODS, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*CONFIDENTIAL_METHODS, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL_METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def protected_resource(issuer: str) -> dict[str, Any]:
    """Return the protected resource metadata of the API beside us (RFC 9728 section 2).

    Args:
        issuer: the issuer identifier, which is the URL of the API as well.
    """
    return {
        "resource": issuer,
        "resource_name": settings.platform_name,
        "authorization_servers": [issuer],
        "scopes_supported": list(settings.scopes),
        "bearer_methods_supported": ["header"],
    }
