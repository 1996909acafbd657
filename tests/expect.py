"""What errors look like, wherever they come from."""

import re

from tests.harness import Answer

DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]+")
"""The characters of `error_description` (RFC 6749 sections 4.1.2.1 and 5.2)."""

ERROR_MEMBERS = {"error", "error_description"}


def assert_error(answer: Answer, error: str, status: int = 400) -> None:
    """Check that an endpoint answered with an error, in the form of RFC 6749 section 5.2."""
    assert (answer.status, answer.json["error"]) == (status, error), answer
    assert set(answer.json) == ERROR_MEMBERS
    assert DESCRIPTION.fullmatch(answer.json["error_description"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get("www-authenticate", "").startswith("Basic realm=") == (status == 401)
    assert ("retry-after" in answer.headers) == (status == 503)


def assert_error_redirect(answer: Answer, redirect_uri: str, error: str) -> None:
    """Check that the application got to know an error, in the form of RFC 6749 section 4.1.2.1."""
    assert answer.status == 303, answer
    assert answer.location.startswith(redirect_uri)
    assert answer.redirect_params["error"] == error
    assert DESCRIPTION.fullmatch(answer.redirect_params["error_description"])
    assert "code" not in answer.redirect_params


def assert_error_page(answer: Answer, status: int = 400) -> None:
    """Check that a person got to know an error, and that the browser stays here."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "location" not in answer.headers
    assert "<h1>" in answer.body
