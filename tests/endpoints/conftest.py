"""A token request that would succeed, for tests that spoil it."""

from dataclasses import dataclass

import pytest

from tests.harness import CALLBACK, App, Deployment, post

PATH = "/oauth2/access_token"


@dataclass(frozen=True)
class Valid:
    """A request that would succeed, which the tests spoil in one point."""

    app: App
    fields: dict[str, str]

    def with_(self, **changes: str | None) -> dict[str, str]:
        """Return its parameters with some changed, or (None) left out."""
        changed: dict[str, str | None] = {**self.fields, **changes}
        return {name: value for name, value in changed.items() if value is not None}

    def without_authentication(self) -> dict[str, str]:
        return self.with_(client_id=None, client_secret=None)

    def still_works(self) -> bool:
        """Tell whether nothing was consumed so far, which consumes it."""
        return post(PATH, self.fields).status == 200


@pytest.fixture
def valid(deployment: Deployment) -> Valid:
    deployment.add_account()
    app = deployment.add_app()
    fields = {
        "grant_type": "authorization_code",
        "code": deployment.code(app),
        "redirect_uri": CALLBACK,
        "client_id": app.client_id,
        "client_secret": app.client_secret or "",
    }
    return Valid(app, fields)
