"""User codes (RFC 8628 section 6.1): short enough to type, and without vowels, lest they spell a word."""

import secrets

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8
"""Characters: 34.5 bits, as in the RFC's example. Guessing is for `accounts.devices` to slow down."""


def new() -> str:
    """Make a user code, as it is stored and compared."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(user_code: str) -> str:
    """Return a user code as people see it: `WDJB-MJHT`."""
    return f"{user_code[: LENGTH // 2]}-{user_code[LENGTH // 2 :]}"


def read(typed: str) -> str | None:
    """Return the user code that somebody typed, in capitals or not, with or without the dash.

    Returns:
        None if it cannot be one.
    """
    code = "".join(character for character in typed if character.isalnum())
    code = code.upper() if code.isascii() else ""
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else None
