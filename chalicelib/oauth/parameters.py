"""Request parameters (RFC 6749 sections 3.1 and 3.2): each at most once, of a sane size."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from chalicelib.oauth.errors import InvalidRequest, PayloadTooLarge

MAX_BODY = 64 * 1024
"""Bytes."""
MAX_VALUE = 4096
"""Characters, of any parameter but those that hold others."""
MAX_VALUES = {"client_assertion": 16 * 1024, "continue": 32 * 1024}
ANY_TEXT = {"password"}
"""Parameters that are whatever somebody typed."""
MAX_PARAMETERS = 100


class Parameters:
    """The parameters of one request.

    Those sent without a value count as not sent, and those nobody asks for are ignored
    (RFC 6749 section 3.1). What is wrong with one comes up when it is asked for, or by `check`.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str | InvalidRequest] = {}
        for name, value in pairs:
            self._values[name] = (
                InvalidRequest("A parameter is repeated.")
                if name in self._values
                else _problem(name, value) or value
            )

    def check(self) -> None:
        """Raise what is wrong with any of the parameters.

        Raises:
            InvalidRequest: one is repeated, too long, or not printable text.
        """
        for value in self._values.values():
            if isinstance(value, InvalidRequest):
                raise value

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, or None if it was not sent.

        Raises:
            InvalidRequest: it is repeated, too long, or not printable text.
        """
        value = self._values.get(name)
        if isinstance(value, InvalidRequest):
            raise value
        return value or None

    def require(self, name: str) -> str:
        """Return the value of a parameter that must be there.

        Raises:
            InvalidRequest: it was not sent, or as with `get`.
        """
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"The parameter {name} is missing.")
        return value


def _problem(name: str, value: str) -> InvalidRequest | None:
    if len(value) > MAX_VALUES.get(name, MAX_VALUE):
        return InvalidRequest("A parameter is too long.")
    if name in ANY_TEXT:
        return None
    if not value.isprintable() or "\ufffd" in value:
        return InvalidRequest("A parameter has characters that are not allowed.")
    return None


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
