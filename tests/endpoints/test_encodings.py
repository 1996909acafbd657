"""How the parameters of a token request may be written (RFC 6749 section 3.2 and appendix B)."""

from urllib.parse import quote, urlencode

import pytest

from tests.endpoints.conftest import Valid
from tests.expect import assert_error
from tests.harness import FORM, Answer, Deployment, event, post, send

PATHS = ("/oauth2/access_token", "/oauth2/token")
PATH = PATHS[0]
PARAMETERS = ("grant_type", "code", "redirect_uri", "client_id", "client_secret")


def post_raw(body: str | bytes | None, content_type: str | None = FORM) -> Answer:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return send(event("POST", PATH, headers=headers, body=body))


CONTROLS = "\0\n\r\t\x1b\x7f\x85\u200b\u2028\ufffd\ufeff"


@pytest.mark.parametrize("name", PARAMETERS)
def test_control_characters_are_refused(valid: Valid, name: str) -> None:
    for character in CONTROLS:
        spoilt = valid.fields[name] + character
        assert_error(post(PATH, valid.with_(**{name: spoilt})), "invalid_request")
    assert valid.still_works()


def test_parameters_in_the_url_do_not_count(valid: Valid) -> None:
    answer = send(event("POST", PATH, query=valid.fields, headers={"Content-Type": FORM}, body=""))
    assert_error(answer, "invalid_request")
    assert valid.still_works()


def test_an_error_repeats_nothing_of_the_request(valid: Valid) -> None:
    for name in PARAMETERS:
        canary = f"canary{name}"
        assert "canary" not in post(PATH, valid.with_(**{name: canary})).body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded;charset=UTF-8",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded ;charset=iso-8859-1",
        "Application/X-WWW-Form-Urlencoded",
    ],
)
def test_parameters_of_the_content_type_are_accepted(valid: Valid, content_type: str) -> None:
    assert post_raw(urlencode(valid.fields), content_type).status == 200


def test_header_names_are_case_insensitive(valid: Valid) -> None:
    sent = event("POST", PATH, headers={"content-TYPE": FORM}, body=urlencode(valid.fields))
    assert send(sent).status == 200


NOT_UTF_8 = (b"\xff", b"\xc3\x28", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80")


@pytest.mark.parametrize("where", ["name", "value"])
@pytest.mark.parametrize("encoded", [False, True], ids=["raw", "percent-encoded"])
def test_what_is_not_utf_8_is_refused(valid: Valid, where: str, encoded: bool) -> None:
    for bad in NOT_UTF_8:
        spoilt = quote(bad).encode() if encoded else bad
        parameter = spoilt + b"=x" if where == "name" else b"x=" + spoilt
        assert_error(post_raw(urlencode(valid.fields).encode() + b"&" + parameter), "invalid_request")
    assert valid.still_works()


@pytest.mark.parametrize("body", ["a", "a===", "äöü", "grant_type=\ud800"])
def test_a_body_wrongly_flagged_as_base64_is_refused(deployment: Deployment, body: str) -> None:
    sent = event("POST", PATH, headers={"Content-Type": FORM}, body=b"") | {"body": body}
    assert_error(send(sent), "invalid_request")


@pytest.mark.parametrize("body", ["\ud800", "grant_type=\udfff", "grant_type=" + "é" * 10])
def test_strange_text_is_refused(deployment: Deployment, body: str) -> None:
    assert_error(post_raw(body), "invalid_request")


def test_a_body_in_base64_is_decoded(valid: Valid) -> None:
    assert post_raw(urlencode(valid.fields).encode()).status == 200
