"""Many clients at once, through an API Gateway and Lambda functions: latencies, errors, the ceiling."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from bench.processors import Watch
from bench.report import Chart, Claim, Section, table
from bench.subjects import ROOT
from tests.interop.server import Person, Server
from tests.stack.checkout import Checkout, checkout
from tests.stack.ministack import running_ministack

CLIENTS, BROWSERS = 64, 8
SECONDS, EMPTY_SECONDS = 60, 15
WARM_UP = 15
"""Seconds of full load that do not count, after waves of clients for whom functions started."""
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
BUSY = 0.9
"""A processor that is used more than that has no time left for more."""
NO_THROTTLE = {"*": {"rate": 10000, "burst": 5000}}

GATEWAY, WORKERS, CALLERS = "MiniStack itself", "its workers", "the clients"
PROGRAMS = {GATEWAY: "-m ministack", WORKERS: "_worker.py", CALLERS: "bench.subjects.closed_loop"}
"""What of a command line tells the programs apart."""

EMPTY = """
def handler(event, context):
    return {"statusCode": 200, "body": "{}"}
"""

TEXT = """
{clients} clients in a closed loop, each of which sends its next request when it has the answer to the last,
for {seconds} s, after {warm_up} s that do not count, and after waves of more and more of them, for whom
functions start. They call a stage that `make deploy` deployed to MiniStack, an emulator of AWS on this
machine: over HTTP, through its API Gateway and the authorizer (whose answers are not cached), to functions
in processes of their own, one for each request that is under way, over its DynamoDB. The gateway's throttle
is out of the way. Of each client's steps, 30 percent are tokens by client credentials, 40 calls of the
sample API with a token, 10 codes by the authorization page (signed in, consent remembered) and their
exchange, 10 refreshes, 5 introspections, 5 revocations.

{latencies}

{total:.0f} requests, {rate:.1f} each second, {errors} errors; and {early_errors} while functions were
starting, all at once on one machine.{first_errors}

**Where the ceiling is.** {ceiling}

The same clients before a function that answers at once get {empty_rate:.1f} requests each second, in
{empty_median:.0f} ms in the median: what the emulator's gateway and workers take without us.{empty_shares}
Above there are {rate:.1f} requests and, as a call of the API invokes its authorizer as well,
{invocations:.1f} invocations each second.

In AWS, gateway, functions and tables grow with the load, each by itself. What this shows is that nothing
breaks when many requests overlap, not how many AWS takes.
"""


def measure(quick: bool, found: Mapping[str, Section]) -> Section:
    """Measure. With --quick, nothing: it takes a deployment."""
    if quick:
        return Section("Load", "Not measured.")
    with running_ministack() as endpoint, tempfile.TemporaryDirectory() as folder:
        project = checkout(Path(folder), endpoint)
        project.configure(
            "dev",
            environment_variables={"OAUTH_AUTHORIZER_CACHE_LIFETIME": "0"},
            deployment={"throttle": NO_THROTTLE},
        )
        with empty_function(project) as api_id:
            plan = {"kind": "empty", "api": f"{api_id}.execute-api.localhost", "prefix": "/empty"}
            empty, empty_shares = _load(endpoint, plan, WARM_UP, EMPTY_SECONDS)
        with project.deployed("dev") as server:
            found_apis = project.client("apigateway").get_rest_apis()["items"]
            (own_id,) = {api["id"] for api in found_apis} - {api_id}
            ours, shares = _load(endpoint, _plan(server, own_id), WARM_UP, SECONDS)
    return _section(ours, empty, shares, empty_shares)


def _section(
    ours: Mapping[str, Any],
    empty: Mapping[str, Any],
    shares: Mapping[str, float],
    empty_shares: Mapping[str, float],
) -> Section:
    everything = sorted(ms for times in ours["milliseconds"].values() for ms in times)
    nothing = sorted(empty["milliseconds"]["empty function"])
    rate, empty_rate = len(everything) / ours["seconds"], len(nothing) / empty["seconds"]
    rows = [(name, len(times), *percentiles(times)) for name, times in sorted(ours["milliseconds"].items())]
    rows.append(("**all**", len(everything), *percentiles(everything)))
    first = Counter(ours["errors"]).most_common(3)
    invocations = rate + len(ours["milliseconds"].get("API, authorized", ())) / ours["seconds"]
    return Section(
        title="Load",
        text=TEXT.format(
            clients=CLIENTS,
            seconds=ours["seconds"],
            warm_up=WARM_UP,
            latencies=table(("request", "times", "p50, ms", "p99, ms", "longest, ms"), rows),
            total=len(everything),
            rate=rate,
            errors=len(ours["errors"]),
            early_errors=ours["early_errors"],
            first_errors="".join(f"\n- {count} times: `{error}`" for error, count in first),
            empty_rate=empty_rate,
            empty_median=median(nothing),
            invocations=invocations,
            ceiling=_ceiling(shares),
            empty_shares=f" Then {_listed(empty_shares)}." if empty_shares else "",
        ),
        claims=[Claim("errors under load", len(ours["errors"]), 0, because="see the section")],
        charts=[
            Chart(
                "load.svg",
                f"{CLIENTS} clients at once, median",
                "ms",
                {name: median(times) for name, times in sorted(ours["milliseconds"].items())},
            )
        ],
        data={
            "requests_per_second": rate,
            "invocations_per_second": invocations,
            "empty_requests_per_second": empty_rate,
            "p50": percentiles(everything)[0],
            "p99": percentiles(everything)[1],
            "errors": len(ours["errors"]),
            "processors": shares,
        },
    )


def _ceiling(shares: Mapping[str, float]) -> str:
    """Return what set the ceiling: one processor that MiniStack cannot leave, all of them, or neither."""
    if not shares:
        return "This system does not tell which program had the processors."
    processors = os.cpu_count() or 1
    own, everything = shares[GATEWAY] * processors, sum(shares.values())
    cause = "nothing is used up: each waits for another"
    if everything > BUSY:
        cause = "the processors are used up"
    elif own > BUSY:
        cause = "MiniStack's gateway and DynamoDB are one process of Python, which cannot use more than one"
    return (
        f"Of this machine's {processors} processors {_listed(shares)}; {1 - everything:.0%} were idle, or\n"
        f"with others. So {cause}. MiniStack itself is gateway,\nDynamoDB and all else of AWS; its workers "
        "are our functions."
    )


def _listed(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} had {share:.0%}" for name, share in shares.items())


def percentiles(times: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the longest."""
    if len(times) < 2:
        return times[0], times[0], times[0]
    return median(times), quantiles(times, n=100, method="inclusive")[98], max(times)


def _plan(server: Server, api_id: str) -> dict[str, Any]:
    """Register an application, and sign people in who allow it."""
    options = [option for grant_type in GRANT_TYPES for option in ("--grant-type", grant_type)]
    client = server.add_client(*options, "--scope", "read write", "--may-introspect")
    account = server.add_account()
    query = f"client_id={client.client_id}&redirect_uri={client.redirect_uri}&response_type=code"
    cookies = []
    for _ in range(BROWSERS):
        person = Person(server, account)
        leads_to = person.authorize(f"{server.authorization_endpoint}?{query}&scope=read+write")
        assert "code=" in leads_to, leads_to  # noqa: S101
        cookies.append("; ".join(f"{cookie.name}={cookie.value}" for cookie in person._browser.cookies))
    return {
        "kind": "oauth",
        "api": f"{api_id}.execute-api.localhost",
        "prefix": "/dev",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "cookies": cookies,
    }


def _load(
    endpoint: str, plan: Mapping[str, Any], warm_up: int, seconds: int
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what the clients saw, and who had the processors while it counted."""
    address = urlsplit(endpoint)
    told = {
        **plan,
        "host": address.hostname,
        "port": address.port,
        "clients": CLIENTS,
        "warm_up": warm_up,
        "seconds": seconds,
    }
    watch = Watch(PROGRAMS)
    with watch.watching():
        done = subprocess.run(
            [sys.executable, "-m", "bench.subjects.closed_loop"],
            cwd=ROOT,
            input=json.dumps(told).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
    return json.loads(done.stdout), watch.shares(seconds)


@contextmanager
def empty_function(project: Checkout) -> Iterator[str]:
    """Put a function that answers at once behind an API; yield the API's id."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        zipped.writestr("empty.py", EMPTY)
    functions, gateway = project.client("lambda"), project.client("apigateway")
    arn = functions.create_function(
        FunctionName="empty",
        Runtime=f"python3.{sys.version_info.minor}",
        Role="arn:aws:iam::000000000000:role/empty",
        Handler="empty.handler",
        Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]
    api = gateway.create_rest_api(name="empty")
    (root,) = gateway.get_resources(restApiId=api["id"])["items"]
    where = {"restApiId": api["id"], "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api["id"], stageName="empty")
    yield api["id"]
