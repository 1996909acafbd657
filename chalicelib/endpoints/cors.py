"""What pages of other origins may call: applications that run in a browser alone."""

from chalice import CORSConfig

LIFETIME = 86400
"""Seconds for which a browser need not ask again. Most remember for two hours at most."""

HEADERS = ("Authorization", "Content-Type")


class AnyOrigin(CORSConfig):
    """Lets the pages of any origin send a request and read the answer, be it an error.

    No cookie decides about anything there, and none is sent along: what a page can do, anybody can
    do from anywhere.
    """

    def __init__(self) -> None:
        super().__init__(max_age=LIFETIME)

    @property
    def allow_headers(self) -> str:
        """The headers that a page may set, without those that Chalice adds for signed AWS requests."""
        return ",".join(HEADERS)


ANY_ORIGIN = AnyOrigin()
