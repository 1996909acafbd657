"""RFC 8414, RFC 9207 and RFC 9728: the form of the documents, and who the server says that it is."""

from urllib.parse import urlsplit

import pytest

from tests.harness import HOST, App, Browser, Deployment, event, send

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
BOTH = pytest.mark.parametrize("path", [SERVER, RESOURCE])
STAGES = pytest.mark.parametrize("stage", ["", "/prod"])


@BOTH
def test_a_document_is_a_json_object(path: str) -> None:
    """RFC 8414 section 3.2, RFC 9728 section 3.2."""
    answer = send(event("GET", path))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert isinstance(answer.json, dict)


@BOTH
def test_members_without_a_value_are_left_out(path: str) -> None:
    """RFC 8414 section 3.2, RFC 9728 section 3.2."""
    assert all(value or value is False for value in send(event("GET", path)).json.values())


@STAGES
def test_issuer_resource_and_endpoints_are_https_urls_without_query_or_fragment(stage: str) -> None:
    """RFC 8414 section 2, RFC 9207 section 2, RFC 9728 section 2; RFC 6749 sections 3.1 and 3.2."""
    documents = [send(event("GET", path, stage=stage)).json for path in (SERVER, RESOURCE)]
    urls = [
        value
        for document in documents
        for name, value in document.items()
        if name in ("issuer", "resource") or name.endswith("_endpoint")
    ]
    assert len(urls) > 4
    for parts in map(urlsplit, urls):
        assert (parts.scheme, parts.netloc) == ("https", HOST)
        assert parts.path.startswith(stage)
        assert not parts.query
        assert not parts.fragment


@BOTH
def test_without_a_path_the_document_is_where_the_issuer_says(path: str) -> None:
    """RFC 8414 section 3.3, RFC 9728 section 3.3: under a custom domain, discovery is exact."""
    document = send(event("GET", path)).json
    assert f"{document.get('issuer') or document['resource']}{path}" == f"https://{HOST}{path}"


@pytest.mark.parametrize("endpoint", ["token", "revocation", "introspection"])
def test_signing_algorithms_are_told_and_none_is_none_of_them(endpoint: str) -> None:
    """RFC 8414 section 2."""
    metadata = send(event("GET", SERVER)).json
    assert "private_key_jwt" in metadata[f"{endpoint}_endpoint_auth_methods_supported"]
    algorithms = metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
    assert "RS256" in algorithms
    assert "none" not in algorithms


@pytest.mark.parametrize(
    "header", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host"]
)
def test_a_header_does_not_change_who_the_server_is(header: str) -> None:
    """RFC 9700 section 4.13: what a stranger sends is not believed."""
    for path in (SERVER, RESOURCE):
        forged = send(event("GET", path, headers={header: "evil.example"}))
        assert "evil" not in forged.body
        assert forged.json == send(event("GET", path)).json


@STAGES
def test_every_authorization_response_names_the_issuer_of_the_metadata(
    deployment: Deployment, stage: str
) -> None:
    """RFC 9207 section 2: errors too."""
    deployment.add_account()
    app: App = deployment.add_app()
    issuer = send(event("GET", SERVER, stage=stage)).json["issuer"]
    browser = deployment.signed_in_browser(stage=stage)
    page = browser.get(stage + app.authorization_url())
    answers = [
        browser.submit(page, decision="allow"),
        browser.submit(page, decision="deny"),
        browser.get(stage + app.authorization_url(scope="unknown")),
        browser.get(stage + app.authorization_url(response_type=None)),
        Browser(stage).get(stage + app.authorization_url(prompt="none")),
    ]
    assert [answer.redirect_params["iss"] for answer in answers] == [issuer] * len(answers)
