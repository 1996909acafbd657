"""CPU time of each operation, beside the CPU time of its requests alone.

    python -m bench.subjects.cpu 100 build/bench/shipped/botocore/data

The environment says where DynamoDB is (`bench.stub`), the folder is what is shipped of botocore's data. An
operation is a call of the app, or of an authorizer, with an event of API Gateway; then bare botocore sends
the very requests that it made, and reads the very answers. Both are measured in turns, in one process, as
nanoseconds of `time.process_time_ns`; and of the operation, what its requests take.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import botocore.session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from botocore.config import Config
from botocore.loaders import Loader

import app
from bench.subjects import seed
from bench.subjects.seed import GRANT_TYPES, TOKEN_ENDPOINT
from chalicelib.authorizer.bearer import bearer
from chalicelib.authorizer.gateway import authorizer
from chalicelib.models import table
from chalicelib.models.table import dynamodb
from tests.harness import App, Deployment

VERIFIER = "v" * 43
PKCE = {"code_challenge": create_s256_code_challenge(VERIFIER), "code_challenge_method": "S256"}


class Meter:
    """Measures operations, and their requests alone.

    Both after something that does not count, or the second would find the processor's caches warm.
    """

    def __init__(self, warm_up: Callable[[], Any]) -> None:
        self._warm_up = warm_up
        self.operations: defaultdict[str, list[int]] = defaultdict(list)
        self.sending: defaultdict[str, list[int]] = defaultdict(list)
        self.floors: defaultdict[str, list[int]] = defaultdict(list)
        self.requests: dict[str, list[str]] = {}
        self._sent: list[tuple[str, dict[str, Any]]] = []
        self._spent = 0
        self._bare = _bare_client()
        self._send = dynamodb.client._make_api_call
        setattr(dynamodb.client, "_make_api_call", self._record)  # noqa: B010

    def _record(self, operation: str, request: dict[str, Any]) -> Any:
        self._sent.append((operation, request))
        started = time.process_time_ns()
        answer = self._send(operation, request)
        self._spent += time.process_time_ns() - started
        return answer

    def measure(self, name: str, call: Callable[[], Any]) -> Any:
        """Measure a call, then its requests alone; return what it returned."""
        self._warm_up()
        self._sent.clear()
        self._spent = 0
        started = time.process_time_ns()
        answer = call()
        self.operations[name].append(time.process_time_ns() - started)
        self.sending[name].append(self._spent)
        sent = list(self._sent)
        self.requests[name] = [operation for operation, _ in sent]
        self._warm_up()
        started = time.process_time_ns()
        for operation, request in sent:
            self._bare._make_api_call(operation, request)
        self.floors[name].append(time.process_time_ns() - started)
        return answer


def _bare_client() -> Any:
    """Return a client as pynamodb makes it, for which the stub repeats its answers."""
    config = Config(
        parameter_validation=False,
        connect_timeout=table.CONNECT_TIMEOUT,
        read_timeout=table.READ_TIMEOUT,
        retries=dynamodb.client.meta.config.retries,
    )
    url = os.environ["AWS_ENDPOINT_URL_DYNAMODB"] + "/replay"
    return botocore.session.get_session().create_client("dynamodb", endpoint_url=url, config=config)


def _post(meter: Meter, name: str, path: str, client: App, **fields: str) -> dict[str, Any]:
    """Measure what a client posts to an endpoint; return what it is told."""
    sent = seed.post(path, client, **fields)
    answer = meter.measure(name, lambda: app.app(sent, None))
    if answer["statusCode"] != 200:
        raise RuntimeError(f"{name}: {answer}")
    told: dict[str, Any] = json.loads(answer["body"])
    return told


def main(rounds: int, data: str) -> None:
    """Go through all operations so many times, after a few that do not count.

    Args:
        rounds: how many.
        data: the folder with as much of botocore's data as is shipped.
    """
    shipped = Loader(extra_search_paths=[data], include_default_search_paths=False)
    dynamodb.session.register_component("data_loader", shipped)
    seed.create_tables()
    deployment = Deployment()
    deployment.add_account()
    client = deployment.add_app(grant_types=GRANT_TYPES, may_introspect=True)
    browser = deployment.signed_in_browser()
    usual = seed.post(TOKEN_ENDPOINT, client, grant_type="client_credentials")
    meter = Meter(lambda: app.app(usual, None))
    for round_ in range(-10, rounds):
        if round_ == 0:
            for times in (meter.operations, meter.sending, meter.floors):
                times.clear()
        code = deployment.code(client, browser, scope="read write", **PKCE)
        client.token(grant_type="client_credentials")  # The function knows the client.
        _post(meter, "client credentials", TOKEN_ENDPOINT, client, grant_type="client_credentials")
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        told = _post(meter, "code exchange", TOKEN_ENDPOINT, client, **given, code_verifier=VERIFIER)
        given = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
        token = _post(meter, "refresh", TOKEN_ENDPOINT, client, **given)["access_token"]
        _authorize(meter, token)
        about = {"token": token, "token_type_hint": "access_token"}
        if not _post(meter, "introspection", "/oauth2/introspect", client, **about)["active"]:
            raise RuntimeError("the token is not active")
        _post(meter, "revocation", "/oauth2/revoke", client, **about)
    found = {"operations": meter.operations, "sending": meter.sending, "floors": meter.floors}
    json.dump({**found, "requests": meter.requests}, sys.stdout)


def _authorize(meter: Meter, token: str) -> None:
    asked = seed.bearer(token)
    answer = meter.measure("authorizer, own API", lambda: bearer(asked, None))
    if answer["policyDocument"]["Statement"][0]["Effect"] != "Allow":
        raise RuntimeError(answer)
    asked = seed.authorizer(token)
    if not meter.measure("authorizer, any API", lambda: authorizer(asked, None))["isAuthorized"]:
        raise RuntimeError("the token is not valid")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
