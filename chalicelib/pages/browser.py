"""The browser's cookie: whose session it is, and where its forms' CSRF tokens come from.

There is one cookie. Before somebody signs in it is random and means nothing; signing in replaces
it. A form's token is derived from it, so another site can neither know the token nor plant it.
"""

import hmac
import re
from dataclasses import dataclass

from chalice.app import Request

from chalicelib.accounts import sessions
from chalicelib.accounts.sessions import SignedIn
from chalicelib.endpoints import http
from chalicelib.oauth import credentials

_VALUE = re.compile(r"[0-9A-Za-z_]{40}")


@dataclass(frozen=True)
class Browser:
    """The browser that a request comes from."""

    cookie: str
    """Its cookie's value, or a new one if it has none yet."""
    is_new: bool
    secure: bool

    @classmethod
    def of(cls, request: Request) -> "Browser":
        """Read the cookie of a request."""
        secure = http.issuer(request).startswith("https:")
        value = http.cookie(request, _name(secure)) or ""
        known = bool(_VALUE.fullmatch(value))
        return cls(value if known else _anonymous(), not known, secure)

    def signed_in(self, client_id: str) -> SignedIn | None:
        """Return who is signed in, with their consent to a client; or None."""
        return None if self.is_new else sessions.find(self.cookie, client_id)

    @property
    def csrf_token(self) -> str:
        """The token that this browser's forms carry."""
        return hmac.new(self.cookie.encode(), b"csrf_token", "sha256").hexdigest()

    def sent(self, csrf_token: str | None) -> bool:
        """Tell whether a form comes from a page that this browser was shown."""
        return not self.is_new and hmac.compare_digest((csrf_token or "").encode(), self.csrf_token.encode())

    def set_cookies(self) -> tuple[str, ...]:
        """Return the `Set-Cookie` headers of a page with a form."""
        return (self.set_cookie(self.cookie),) if self.is_new else ()

    def set_cookie(self, value: str) -> str:
        """Return the `Set-Cookie` header that gives the browser this value."""
        attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self.secure else "")
        return f"{_name(self.secure)}={value}{attributes}"


def _name(secure: bool) -> str:
    """`__Host-` binds the cookie to this very host; it needs https."""
    return "__Host-session" if secure else "session"


def _anonymous() -> str:
    return "obn_" + credentials.random_text(credentials.LENGTH - 4)
