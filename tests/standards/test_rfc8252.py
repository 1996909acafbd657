"""OAuth 2.0 for Native Apps: what no other test holds."""

import pytest

from chalicelib.oauth import registration
from chalicelib.oauth.client_metadata import ClientMetadata, InvalidClientMetadata
from tests.endpoints.test_authorization_code import PKCE, VERIFIER
from tests.harness import Deployment


@pytest.mark.parametrize(
    "redirect_uri",
    ["com.example.app:/callback", "https://app.example.com/native", "http://127.0.0.1/cb", "http://[::1]/cb"],
)
def test_native_applications_choose_among_three_kinds_of_redirect_uri(
    deployment: Deployment, redirect_uri: str
) -> None:
    """Section 7: private-use scheme, claimed https scheme, loopback interface."""
    deployment.add_account()
    native = deployment.add_app(public=True, redirect_uris=(redirect_uri,))
    browser = deployment.signed_in_browser()
    redirect = browser.submit(browser.get(native.authorization_url(**PKCE)), decision="allow")
    assert redirect.location.startswith(f"{redirect_uri}?code=")
    code = redirect.redirect_params["code"]
    assert native.exchange(code, code_verifier=VERIFIER).status == 200


def test_a_public_client_can_neither_act_for_itself_nor_introspect(deployment: Deployment) -> None:
    """Section 8.5; RFC 6749 section 4.4: it cannot prove who it is."""
    for refused in (
        ClientMetadata("Native", token_endpoint_auth_method="none", grant_types=("client_credentials",)),
        ClientMetadata(
            "Native", ("https://a.example/",), token_endpoint_auth_method="none", may_introspect=True
        ),
    ):
        with pytest.raises(InvalidClientMetadata, match="a public client can neither"):
            registration.register(refused)
