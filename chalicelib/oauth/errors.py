"""The catalogue of errors: the one place where code, status and description meet.

A description helps the application's developer, and holds nothing that the request sent and
nothing about other people's data. It keeps to the characters of RFC 6749 section 5.2.
"""

from typing import ClassVar


class OAuthError(Exception):
    """An error response (RFC 6749 sections 4.1.2.1 and 5.2).

    Args:
        description: what is wrong, for the application's developer.
    """

    error: ClassVar[str]
    status: ClassVar[int] = 400
    default_description: ClassVar[str] = ""

    def __init__(self, description: str = "") -> None:
        self.description = description or self.default_description
        super().__init__(f"{self.error}: {self.description}")

    def members(self) -> dict[str, str]:
        """Return the members of the error response."""
        return {"error": self.error, "error_description": self.description}


class InvalidRequest(OAuthError):
    """A parameter is missing, malformed, repeated, or does not go with another."""

    error = "invalid_request"


class MethodNotAllowed(InvalidRequest):
    """The endpoint is there, but not for this HTTP method."""

    status = 405
    default_description = "This endpoint accepts POST only."


class PayloadTooLarge(InvalidRequest):
    """The body is longer than any valid request."""

    status = 413
    default_description = "The body is too large."


class InvalidClient(OAuthError):
    """Client authentication failed. Says the same whatever the reason."""

    error = "invalid_client"
    status = 401
    default_description = "Client authentication failed."


class InvalidGrant(OAuthError):
    """The code or refresh token is invalid, expired, revoked, or somebody else's.

    Says the same for what was never issued and for what others were issued.
    """

    error = "invalid_grant"
    default_description = "The code or token is invalid, expired, or was issued to another client."


class UnauthorizedClient(OAuthError):
    """The client may not use this grant type or response type."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """The server does not know the grant type."""

    error = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    """The server does not know the response type."""

    error = "unsupported_response_type"


class InvalidScope(OAuthError):
    """The scope is unknown, malformed, or more than the client may ask for."""

    error = "invalid_scope"


class AccessDenied(OAuthError):
    """The user said no."""

    error = "access_denied"
    default_description = "The user denied the request."


class AuthorizationPending(OAuthError):
    """The user has not decided yet: ask again after the interval (RFC 8628 section 3.5)."""

    error = "authorization_pending"
    default_description = "The user has not decided yet."


class SlowDown(OAuthError):
    """The user has not decided yet, and the device asks too often (RFC 8628 section 3.5)."""

    error = "slow_down"
    default_description = "The user has not decided yet. The interval is 5 seconds longer from now on."


class ExpiredToken(OAuthError):
    """The device code is over, and nobody allowed it in time (RFC 8628 section 3.5)."""

    error = "expired_token"
    default_description = "The device_code has expired. Start again."


class LoginRequired(OAuthError):
    """`prompt=none`, and nobody is signed in (OpenID Connect Core section 3.1.2.6)."""

    error = "login_required"
    default_description = "The user is not signed in."


class ConsentRequired(OAuthError):
    """`prompt=none`, and the user has to be asked (OpenID Connect Core section 3.1.2.6)."""

    error = "consent_required"
    default_description = "The user has to be asked."


class ServerError(OAuthError):
    """Something unexpected. The log knows more."""

    error = "server_error"
    status = 500
    default_description = "The server met an unexpected condition."


class TemporarilyUnavailable(OAuthError):
    """The storage is overloaded or out of reach. Retrying is safe."""

    error = "temporarily_unavailable"
    status = 503
    default_description = "The server is overloaded for the moment. Try again."
    RETRY_AFTER: ClassVar[int] = 2
    """Seconds."""
