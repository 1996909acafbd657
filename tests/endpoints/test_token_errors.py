"""Whatever is wrong with a token request, the answer is RFC 6749 section 5.2's, and nothing changes."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError

from chalicelib.models.table import dynamodb
from chalicelib.oauth import clients, registration
from chalicelib.oauth.client_metadata import ClientMetadata
from tests.harness import CALLBACK, FORM, Answer, App, Deployment, basic, event, post, send

DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")


@pytest.fixture
def app(deployment: Deployment) -> App:
    deployment.add_account()
    return deployment.add_app()


@pytest.fixture
def request_of(deployment: Deployment, app: App) -> dict[str, str]:
    """A request that would succeed."""
    return {
        "grant_type": "authorization_code",
        "code": deployment.code(app),
        "redirect_uri": CALLBACK,
        "client_id": app.client_id,
        "client_secret": app.client_secret or "",
    }


def is_error(answer: Answer, status: int, error: str) -> bool:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"error", "error_description"}
    assert DESCRIPTION.fullmatch(answer.json["error_description"])
    return (answer.status, answer.json["error"]) == (status, error)


def still_works(request: Mapping[str, str]) -> bool:
    return post("/oauth2/access_token", request).status == 200


REQUIRED = ("grant_type", "code", "redirect_uri", "client_id")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_parameter(request_of: dict[str, str], name: str) -> None:
    rest = {other: value for other, value in request_of.items() if other != name}
    assert is_error(post("/oauth2/access_token", rest), 400, "invalid_request")
    assert still_works(request_of)


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_parameter_counts_as_missing(request_of: dict[str, str], name: str) -> None:
    assert is_error(post("/oauth2/access_token", request_of | {name: ""}), 400, "invalid_request")
    assert still_works(request_of)


@pytest.mark.parametrize("name", [*REQUIRED, "client_secret", "unheard_of"])
@pytest.mark.parametrize("second", ["same", "other"])
def test_a_repeated_parameter(request_of: dict[str, str], name: str, second: str) -> None:
    request = {"unheard_of": "x"} | request_of
    twice = [*request.items(), (name, request[name] if second == "same" else "other")]
    assert is_error(post("/oauth2/access_token", twice), 400, "invalid_request")
    assert still_works(request_of)


@pytest.mark.parametrize("name", [*REQUIRED, "client_secret", "code_verifier"])
def test_an_oversized_parameter(request_of: dict[str, str], name: str) -> None:
    answer = post("/oauth2/access_token", request_of | {name: "x" * 5000})
    assert is_error(answer, 400, "invalid_request")
    assert still_works(request_of)


def test_an_oversized_body(request_of: dict[str, str]) -> None:
    padding = {f"p{number}": "x" * 4000 for number in range(20)}
    assert is_error(post("/oauth2/access_token", request_of | padding), 413, "invalid_request")


def test_too_many_parameters(request_of: dict[str, str]) -> None:
    padding = {f"p{number}": "x" for number in range(200)}
    assert is_error(post("/oauth2/access_token", request_of | padding), 413, "invalid_request")


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "a\x7fb", "a\u200bb", "\ufffd"])
def test_characters_that_are_not_text(request_of: dict[str, str], value: str) -> None:
    answer = post("/oauth2/access_token", request_of | {"code": value})
    assert is_error(answer, 400, "invalid_request")


def test_parameters_nobody_knows_are_ignored(request_of: dict[str, str]) -> None:
    assert still_works(request_of | {"unheard_of": "é\x00" * 2000})


@pytest.mark.parametrize("path", ["/oauth2/access_token", "/oauth2/token", "/oauth2/device_authorization"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method(deployment: Deployment, path: str, method: str) -> None:
    answer = send(event(method, path))
    assert is_error(answer, 405, "invalid_request")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "text/plain", "multipart/form-data; boundary=x", FORM + "x"],
)
def test_a_wrong_content_type(request_of: dict[str, str], content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    sent = event("POST", "/oauth2/token", headers=headers, body=urlencode(request_of))
    assert is_error(send(sent), 400, "invalid_request")


@pytest.mark.parametrize("content_type", [FORM + "; charset=UTF-8", FORM.upper(), FORM + " ;charset=utf-8"])
def test_the_content_type_in_other_words(request_of: dict[str, str], content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert send(event("POST", "/oauth2/token", headers=headers, body=urlencode(request_of))).status == 200


def test_a_body_that_the_gateway_encoded(request_of: dict[str, str]) -> None:
    sent = event("POST", "/oauth2/token", headers={"Content-Type": FORM}, body=urlencode(request_of).encode())
    assert send(sent).status == 200


@pytest.mark.parametrize("body", [b"grant_type=\xff\xfe", b"grant_type=%FF%FE", b"%FF=x", b"\x80"])
def test_a_body_that_is_not_utf_8(deployment: Deployment, body: bytes) -> None:
    sent = event("POST", "/oauth2/token", headers={"Content-Type": FORM}, body=body)
    assert is_error(send(sent), 400, "invalid_request")


@pytest.mark.parametrize("body", [None, "", "&&&", "=", "=&=x", "grant_type", "%", "\ud800"])
def test_a_body_that_is_no_request(deployment: Deployment, body: str | None) -> None:
    sent = event("POST", "/oauth2/token", headers={"Content-Type": FORM}, body=body)
    assert is_error(send(sent), 400, "invalid_request")


@pytest.mark.parametrize("body", ["!", "abc", "é"])
def test_a_body_that_is_not_the_base64_it_is_said_to_be(deployment: Deployment, body: str) -> None:
    sent = event("POST", "/oauth2/token", headers={"Content-Type": FORM}, body=body)
    sent["isBase64Encoded"] = True
    assert is_error(send(sent), 400, "invalid_request")


def test_an_unknown_grant_type(request_of: dict[str, str]) -> None:
    answer = post("/oauth2/token", request_of | {"grant_type": "password"})
    assert is_error(answer, 400, "unsupported_grant_type")


@pytest.mark.parametrize("grant_type", ["refresh_token", "client_credentials"])
def test_a_grant_type_that_the_client_is_not_registered_for(
    request_of: dict[str, str], grant_type: str
) -> None:
    answer = post("/oauth2/token", request_of | {"grant_type": grant_type, "refresh_token": "x"})
    assert is_error(answer, 400, "unauthorized_client")


def without_secret(request: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in request.items() if name not in ("client_id", "client_secret")}


def test_the_secret_by_http_basic(request_of: dict[str, str], app: App) -> None:
    headers = basic(app.client_id, app.client_secret or "")
    assert post("/oauth2/token", without_secret(request_of), headers).status == 200


def test_id_and_secret_are_form_encoded_within_http_basic(request_of: dict[str, str], app: App) -> None:
    encoded = "".join(f"%{ord(char):02X}" for char in app.client_secret or "")
    headers = basic(quote_plus(app.client_id), encoded)
    assert post("/oauth2/token", without_secret(request_of), headers).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YQ",  # Bad padding.
        "Basic bm8gY29sb24=",  # "no colon"
        "Basic OnNlY3JldA==",  # ":secret"
        "Basic /////w==",  # Not UTF-8.
        "Basic JUZGOng=",  # "%FF:x"
        "Basic AGE6Yg==",  # A NUL.
        "Basic é",
        "Basic YQ==é",
        "Basic \xff\xfe",
        "Bearer oat_x",
        "Digest username=x",
        "",
        " ",
    ],
)
def test_a_bad_authorization_header(request_of: dict[str, str], header: str) -> None:
    answer = post("/oauth2/token", without_secret(request_of), {"Authorization": header})
    assert is_error(answer, 401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_two_methods_at_once(request_of: dict[str, str], app: App) -> None:
    headers = basic(app.client_id, app.client_secret or "")
    assert is_error(post("/oauth2/token", request_of, headers), 400, "invalid_request")
    assert still_works(request_of)


def test_two_names_at_once(request_of: dict[str, str], app: App) -> None:
    headers = basic(app.client_id, app.client_secret or "")
    request = without_secret(request_of) | {"client_id": "other"}
    assert is_error(post("/oauth2/token", request, headers), 400, "invalid_request")


def test_unknown_client_and_wrong_secret_are_told_alike(request_of: dict[str, str]) -> None:
    wrong = post("/oauth2/token", request_of | {"client_secret": "ocs_" + "A" * 36})
    unknown = post("/oauth2/token", request_of | {"client_id": "unknown"})
    assert is_error(wrong, 401, "invalid_client")
    assert wrong == unknown
    assert "www-authenticate" in wrong.headers


def test_a_client_id_of_any_length_is_only_unknown(request_of: dict[str, str]) -> None:
    assert is_error(post("/oauth2/token", request_of | {"client_id": "x" * 4000}), 401, "invalid_client")


def test_a_confidential_client_without_its_secret(request_of: dict[str, str]) -> None:
    request = {name: value for name, value in request_of.items() if name != "client_secret"}
    assert is_error(post("/oauth2/token", request), 401, "invalid_client")
    assert still_works(request_of)


def test_a_public_client_has_no_secret(deployment: Deployment) -> None:
    public = deployment.add_app(public=True)
    assert public.client_secret is None
    answer = public.exchange("oac_" + "A" * 36, client_secret="anything")
    assert is_error(answer, 401, "invalid_client")


def test_a_disabled_client(deployment: Deployment, request_of: dict[str, str], app: App) -> None:
    registration.disable(deployment.client(app))
    clients.forget()
    assert is_error(post("/oauth2/token", request_of), 401, "invalid_client")


@pytest.mark.parametrize("public", [True, False])
def test_an_empty_secret_by_http_basic_is_none(deployment: Deployment, public: bool) -> None:
    app = deployment.add_app(public=public)
    request = {"grant_type": "authorization_code", "code": "oac_" + "A" * 36, "redirect_uri": CALLBACK}
    answer = post("/oauth2/token", request, basic(app.client_id, ""))
    assert is_error(answer, *((400, "invalid_grant") if public else (401, "invalid_client")))


@pytest.mark.parametrize(
    ("method", "right", "wrong"),
    [("client_secret_basic", "header", "body"), ("client_secret_post", "body", "header")],
)
def test_a_client_uses_the_method_it_is_registered_for(
    deployment: Deployment, method: str, right: str, wrong: str
) -> None:
    client, secret = registration.register(
        ClientMetadata(
            client_name="Strict", grant_types=("client_credentials",), token_endpoint_auth_method=method
        )
    )
    request = {"grant_type": "client_credentials"}
    answers = {
        "header": post("/oauth2/token", request, basic(client.client_id, secret or "")),
        "body": post(
            "/oauth2/token", request | {"client_id": client.client_id, "client_secret": secret or ""}
        ),
    }
    assert answers[right].status == 200
    assert is_error(answers[wrong], 401, "invalid_client")


def refusal(status: int, code: str) -> tuple[AWSResponse, dict[str, Any]]:
    """Return what a handler of `before-call` returns for a request that is refused and not sent."""
    error = {"Error": {"Code": code, "Message": "secret detail"}, "ResponseMetadata": {}}
    return AWSResponse("", status, {}, None), error


@contextmanager
def storage_fails(how: str) -> Iterator[None]:
    """Let DynamoDB refuse every request, or be out of reach."""

    def fail(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        if how == "unreachable":
            raise EndpointConnectionError(endpoint_url="https://dynamodb.invalid")
        kinds = {
            "throttled": (400, "ProvisionedThroughputExceededException"),
            "broken": (500, "InternalServerError"),
            "missing": (400, "ResourceNotFoundException"),
            "forbidden": (400, "AccessDeniedException"),
        }
        return refusal(*kinds[how])

    events = dynamodb.client.meta.events
    events.register_first("before-call.dynamodb", fail)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb", fail)


@pytest.mark.parametrize("how", ["throttled", "broken", "unreachable", "missing", "forbidden"])
def test_failing_storage_is_temporary_and_changes_nothing(request_of: dict[str, str], how: str) -> None:
    with storage_fails(how):
        answer = post("/oauth2/access_token", request_of)
    assert is_error(answer, 503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "secret detail" not in answer.body
    assert still_works(request_of)


def test_a_surprise_is_a_server_error_without_details(
    request_of: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("chalicelib.oauth.grants.token_request", surprise)
    answer = post("/oauth2/token", request_of)
    assert is_error(answer, 500, "server_error")
    assert "secret detail" not in answer.body
