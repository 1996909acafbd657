"""How a request is refused (RFC 6750 section 3): the gateway responses, deployed and local."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Challenge:
    """One answer of the gateway to a request that it does not let through."""

    status: int
    error: str
    description: str

    @property
    def header(self) -> str:
        """The value of `WWW-Authenticate`."""
        return f'Bearer error="{self.error}", error_description="{self.description}"'

    @property
    def body(self) -> str:
        """The JSON body."""
        return json.dumps({"error": self.error, "error_description": self.description})


UNAUTHORIZED = Challenge(401, "invalid_token", "The access token is missing, invalid, expired or revoked.")
ACCESS_DENIED = Challenge(
    403, "insufficient_scope", "The access token does not have the scope that this request needs."
)
