"""The browser's cookie: whose session it is, and where its forms' CSRF tokens come from.

There is one cookie. Before somebody signs in it is random and means nothing; signing in replaces
it. A form's token is derived from it, so another site can neither know the token nor plant it.
"""

import hmac
import re
from dataclasses import dataclass

from chalice.app import Request

from chalicelib import logs
from chalicelib.accounts import sessions
from chalicelib.accounts.sessions import SignedIn
from chalicelib.catalogue import STORAGE_FAILED
from chalicelib.endpoints import http
from chalicelib.journal import tell_failure
from chalicelib.models.table import StorageError
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

    def signed_in(self, client_id: str | None = None) -> SignedIn | None:
        """Return who is signed in, with their consent to a client if one is named; or None."""
        signed_in = None if self.is_new else sessions.find(self.cookie, client_id)
        if signed_in is not None:
            logs.note(actor=signed_in.account.user_id)
        return signed_in

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
        return _set_cookie(_name(self.secure), value, self.secure)

    def sign_in(self, session: str) -> str:
        """End the session that the browser had, and return the `Set-Cookie` header that gives it this one.

        If the old one cannot be ended now, it ends by itself: what brought the new one about is done.
        """
        try:
            sessions.end(self.cookie)
        except StorageError as error:
            tell_failure(STORAGE_FAILED, error)
        return self.set_cookie(session)

    def sign_out(self) -> str:
        """Return the `Set-Cookie` header that gives the browser a cookie that means nothing."""
        return self.set_cookie(_anonymous())

    def set_notice(self, notice: str) -> str:
        """Return the `Set-Cookie` header that has the next page show a notice."""
        return _set_cookie(_name(self.secure, NOTICE), notice, self.secure)


NOTICE = "notice"


def read_notice(request: Request) -> tuple[str, tuple[str, ...]]:
    """Return which notice a page shows, if any, and the `Set-Cookie` headers that end it.

    It travels in a cookie, not in the URL, so that a link from elsewhere cannot make us say
    anything.
    """
    secure = http.issuer(request).startswith("https:")
    name = _name(secure, NOTICE)
    notice = http.cookie(request, name)
    if not notice:
        return "", ()
    return notice, (_set_cookie(name, "", secure) + "; Max-Age=0",)


def _set_cookie(name: str, value: str, secure: bool) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def _name(secure: bool, name: str = "session") -> str:
    """`__Host-` binds the cookie to this very host; it needs https."""
    return f"__Host-{name}" if secure else name


def _anonymous() -> str:
    return "obn_" + credentials.random_text(credentials.LENGTH - 4)
