"""Fills a DynamoDB with what requests need, and prints these requests as events of API Gateway.

python -m bench.subjects.seed
"""

import json
import sys
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from chalicelib.models.table import dynamodb
from management.infrastructure import tables
from tests.harness import ARN, EMAIL, FORM, PASSWORD, App, Browser, Deployment, basic, event

GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
TOKEN_ENDPOINT = "/oauth2/access_token"


def post(path: str, client: App, **fields: str) -> dict[str, object]:
    """Return the event of what a client posts, authenticated by HTTP Basic."""
    headers = {"Content-Type": FORM, **basic(client.client_id, str(client.client_secret))}
    return event("POST", path, headers=headers, body=urlencode(fields))


def bearer(token: str) -> dict[str, object]:
    """Return what API Gateway asks the authorizer of this app's own routes."""
    return {
        "type": "TOKEN",
        "authorizationToken": f"Bearer {token}",
        "methodArn": f"{ARN}/prod/GET/api/me",
    }


def authorizer(token: str) -> dict[str, object]:
    """Return what an HTTP API asks its authorizer (payload format 2.0)."""
    header = f"Bearer {token}"
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": f"{ARN}/prod/GET/api/me",
        "identitySource": [header],
        "routeKey": "GET /api/me",
        "rawPath": "/api/me",
        "headers": {"authorization": header},
        "requestContext": {"http": {"method": "GET", "path": "/api/me"}, "stage": "$default"},
    }


def sign_in(client: App) -> dict[str, object]:
    """Return the event of somebody who submits the form of the sign-in page."""
    browser = Browser()
    form = browser.get(client.authorization_url()).form
    url = urlsplit(urljoin(browser.url, form.action))
    headers = {
        "Content-Type": FORM,
        "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
    }
    body = urlencode(form.fields | {"email": EMAIL, "password": PASSWORD})
    return event("POST", url.path, query=parse_qsl(url.query), headers=headers, body=body)


def create_tables() -> None:
    """Make the tables, empty."""
    for model in tables.TABLES.values():
        dynamodb.client.create_table(**tables.table_definition(model))


def main() -> None:
    """Add an account, an application and a token."""
    create_tables()
    deployment = Deployment()
    deployment.add_account()
    client = deployment.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    browser = deployment.signed_in_browser()
    told = deployment.tokens(client, browser, scope="read write")
    token = told["access_token"]
    url = urlsplit(client.authorization_url())
    events = {
        "token": post(TOKEN_ENDPOINT, client, grant_type="client_credentials"),
        "page": event("GET", url.path, query=parse_qsl(url.query)),
        "introspection": post("/oauth2/introspect", client, token=token),
        "sign_in": sign_in(client),
        "bearer": bearer(token),
        "authorizer": authorizer(token),
        "grant_id": token[4:12],
    }
    json.dump(events, sys.stdout)


if __name__ == "__main__":
    main()
