"""Counts and times django-oauth-toolkit: `python -m bench.peers.dot [repeat]`."""

import base64
import datetime
import hashlib
import importlib.metadata
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from bench.peers import harness
from bench.peers.harness import CLIENT_ID, CLIENT_SECRET, CODE_VERIFIER, REDIRECT_URI, Operation, Paths, post

HOW = (
    "its own views and models with their defaults (client secrets hashed by Django's PBKDF2, refresh tokens "
    "rotate, PKCE), no middleware, SQLite in a file, client authentication by HTTP Basic"
)


def _configure(folder: str) -> None:
    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF="bench.peers.dot.urls",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{folder}/db.sqlite3",
                "CONN_MAX_AGE": None,
            }
        },
        MIDDLEWARE=[],
        OAUTH2_PROVIDER={"SCOPES": {"read": "Read", "write": "Write", "introspection": "Introspect"}},
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def _main() -> None:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from oauth2_provider.models import Application, Grant

    user = User.objects.create_user("user")
    application = Application.objects.create(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uris=REDIRECT_URI,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        user=user,
    )
    wsgi = get_wsgi_application()
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(CODE_VERIFIER.encode()).digest()).rstrip(b"=").decode()
    )

    def registered_for(grant_type: str) -> None:
        """Let the client have the one grant type that it may have at a time."""
        if application.authorization_grant_type != grant_type:
            application.authorization_grant_type = grant_type
            Application.objects.filter(pk=application.pk).update(authorization_grant_type=grant_type)

    def code() -> str:
        registered_for(Application.GRANT_AUTHORIZATION_CODE)
        value = secrets.token_urlsafe(30)
        Grant.objects.create(
            user=user,
            code=value,
            application=application,
            expires=django.utils.timezone.now() + datetime.timedelta(seconds=60),
            redirect_uri=REDIRECT_URI,
            scope="read",
            code_challenge=challenge,
            code_challenge_method="S256",
        )
        return value

    def client_credentials(_: None = None) -> harness.Answer:
        return post(wsgi, "/o/token/", {"grant_type": "client_credentials", "scope": "read"})

    operations = {
        "client_credentials": Operation(
            client_credentials, lambda: registered_for(Application.GRANT_CLIENT_CREDENTIALS)
        ),
        **harness.of_a_grant(wsgi, Paths("/o/token/", "/o/introspect/", "/o/revoke_token/"), code),
    }

    @contextmanager
    def count() -> Iterator[list[str]]:
        statements: list[str] = []
        with CaptureQueriesContext(connection) as queries:
            yield statements
        statements += [query["sql"] for query in queries]

    versions = {name: importlib.metadata.version(name) for name in ("django-oauth-toolkit", "Django")}
    harness.main("django-oauth-toolkit", versions, HOW, operations, count)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _folder:
        _configure(_folder)
        _main()
