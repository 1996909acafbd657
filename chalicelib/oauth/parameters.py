"""Request parameters (RFC 6749 sections 3.1 and 3.2): each at most once, of a sane size."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from chalicelib.oauth.errors import InvalidRequest, PayloadTooLarge

MAX_BODY = 64 * 1024
"""Bytes."""
MAX_VALUE = 4096
"""Characters, of any parameter but those that hold others."""
MAX_VALUES = {"client_assertion": 16 * 1024, "continue": 32 * 1024, "redirect_uris": 48 * 1024}
ANY_TEXT = {"password", "current_password", "new_password", "description", "redirect_uris"}
"""Parameters that are whatever somebody typed, over several lines perhaps."""
MAX_PARAMETERS = 100

_REPEATED = "A parameter is repeated."


class Parameters:
    """The parameters of one request.

    Those sent without a value count as not sent, and those nobody asks for are ignored, unless
    they are repeated (RFC 6749 section 3.1). What is wrong with one comes up when it is asked for.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._repeated: set[str] = set()
        for name, value in pairs:
            if name in self._values:
                self._repeated.add(name)
            self._values[name] = value

    def check(self) -> None:
        """Check that no parameter is repeated, whoever asks for it.

        Raises:
            InvalidRequest: one is.
        """
        if self._repeated:
            raise InvalidRequest(_REPEATED)

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, or None if it was not sent.

        Raises:
            InvalidRequest: it is repeated, too long, or not printable text.
        """
        if name in self._repeated:
            raise InvalidRequest(_REPEATED)
        value = self._values.get(name)
        if not value:
            return None
        _check_value(name, value)
        return value

    def require(self, name: str) -> str:
        """Return the value of a parameter that must be there.

        Raises:
            InvalidRequest: it was not sent, or as with `get`.
        """
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"The parameter {name} is missing.")
        return value


def _check_value(name: str, value: str) -> None:
    if len(value) > MAX_VALUES.get(name, MAX_VALUE):
        raise InvalidRequest(f"The parameter {name} is too long.")
    if name not in ANY_TEXT and (not value.isprintable() or "\ufffd" in value):
        raise InvalidRequest(f"The parameter {name} has characters that are not allowed.")


def from_form(body: bytes) -> Parameters:
    """Decode `application/x-www-form-urlencoded` (RFC 6749 appendix B).

    Raises:
        InvalidRequest: not UTF-8.
        PayloadTooLarge: more bytes or parameters than any valid request has.
    """
    if len(body) > MAX_BODY:
        raise PayloadTooLarge
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.") from None
    except ValueError:
        raise PayloadTooLarge("There are too many parameters.") from None
    return Parameters(pairs)
