"""Which redirect URIs may be registered (RFC 6749 section 3.1.2, RFC 8252, RFC 9700 section 2.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.oauth.redirect_uris import InvalidRedirectURI, check

WEB = [
    "https://app.example.com/callback",
    "https://app.example.com",
    "https://app.example.com:8443/cb?tenant=1&x=%20",
    "https://xn--bcher-kva.example/cb",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:8002/callback",
    "http://[::1]:8002/cb",
    "http://localhost:3000/",
    "HTTPS://app.example.com/cb",
]
PRIVATE_USE = ["com.example.app:/oauth2redirect", "com.example.app://callback", "org.example:/x?y=z"]
REFUSED = {
    "": "not an absolute URI",
    "/callback": "not an absolute URI",
    "app.example.com/cb": "not an absolute URI",
    "//app.example.com/cb": "not an absolute URI",
    "https://app.example.com/cb#": "fragment",
    "https://app.example.com/cb#x": "fragment",
    "http://app.example.com/cb": "https",
    "http://127.0.0.1.evil.example/cb": "https",
    "http://localhost.evil.example/cb": "https",
    "http://10.0.0.1/cb": "https",
    "https:///cb": "no host",
    "https:cb": "no host",
    "https://user:password@app.example.com/cb": "user name",
    "https://*.example.com/cb": "wildcard",
    "https://app.example.com:99999/cb": "port",
    "https://app.example;script-src-elem/cb": "neither a domain name",
    "https://'unsafe-inline'/": "neither a domain name",
    "https://a,b/": "neither a domain name",
    "https://a%0a.example/": "neither a domain name",
    "https://" + "a" * 1000 + "!/": "neither a domain name",
    "https://[::1/cb": "malformed",
    "https://app.example.com/c b": "characters",
    "https://app.example.com/\u00e9": "characters",
    'https://app.example.com/"': "characters",
    "https://app.example.com/<x>": "characters",
    "https://app.example.com\\@evil.example/": "characters",
    "https://app.example.com/\n": "characters",
    "https://app.example.com/" + "x" * 2000: "longer",
    "javascript:alert(1)": "private-use",
    "data:text/html,x": "private-use",
    "file:///etc/passwd": "private-use",
    "ftp://app.example.com/": "private-use",
}


@pytest.mark.parametrize("uri", WEB)
@pytest.mark.parametrize("public", [True, False])
def test_https_and_loopback_are_for_everybody(uri: str, public: bool) -> None:
    assert check(uri, public=public) == uri


@pytest.mark.parametrize("uri", PRIVATE_USE)
def test_private_use_schemes_are_for_public_clients(uri: str) -> None:
    assert check(uri, public=True) == uri
    with pytest.raises(InvalidRedirectURI, match="public clients only"):
        check(uri, public=False)


def test_a_private_use_scheme_is_a_reversed_domain_name() -> None:
    with pytest.raises(InvalidRedirectURI, match="domain name in reverse"):
        check("myapp:/callback", public=True)


@pytest.mark.parametrize("uri", REFUSED, ids=lambda uri: uri[:40])
@pytest.mark.parametrize("public", [True, False])
def test_the_rest_is_refused_with_the_reason(uri: str, public: bool) -> None:
    with pytest.raises(InvalidRedirectURI, match=REFUSED[uri]):
        check(uri, public=public)


@given(st.text())
def test_whatever_comes_it_is_accepted_or_refused(text: str) -> None:
    for prefix in ("", "https://", "http://[", "https://app.example.com:"):
        try:
            accepted = check(prefix + text, public=True)
        except InvalidRedirectURI:
            continue
        assert accepted.isascii()
        assert accepted.isprintable()
