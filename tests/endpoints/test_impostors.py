"""Who fails to authenticate at the token endpoint learns nothing (RFC 6749 section 2.3, design rule 4)."""

import base64
from collections.abc import Callable

import pytest

from tests.endpoints.conftest import PATH, Valid
from tests.expect import assert_error
from tests.harness import Deployment, count_requests, post

WRONG_SECRET = "ocs_" + "0" * 36


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic é",
        "Basic \ud800",
        "Basic YQ",
        "Basic Y",
        "Basic YTpi=",
        "Basic YTpi YTpi",
        f"Basic {b64('no colon')}",
        f"Basic {b64(':secret')}",
        "Basic " + b64(b"\xff:secret"),
        "Basic " + b64(b"id:\xff"),
        f"Basic {b64('%ff:secret')}",
        f"Basic {b64('id:%ff')}",
        f"Basic {b64('a%00b:secret')}",
        f"Basic {b64('a%0ab:secret')}",
        f"Basic {b64('a' * 257 + ':secret')}",
        f"Basic {b64('a' * 200 + ':secret')}",
        f"Basic {b64('unknown:secret')}",
        f"Basic {b64('unknown:')}",
        f"Basic {b64('unknown:' + 'x' * 100_000)}",
        "Bearer oat_000000000000000000000000000000000000",
        'Digest username="a"',
        "Negotiate YTpi",
        f"Basic2 {b64('a:b')}",
        f"{b64('a:b')}",
    ],
)
def test_a_bad_basic_header_fails_authentication(valid: Valid, header: str) -> None:
    answer = post(PATH, valid.without_authentication(), {"Authorization": header})
    assert_error(answer, "invalid_client", 401)
    assert valid.still_works()


Impostor = Callable[[Deployment, Valid], dict[str, str]]


def _unknown(_: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_id="0123456789abcdef")


def _wrong_secret(_: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_secret=WRONG_SECRET)


def _hash_as_secret(deployment: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_secret=deployment.client(valid.app).secrets[0].hash)


def _no_secret(_: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_secret=None)


def _empty_secret(_: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_secret="")


def _public_with_secret(deployment: Deployment, valid: Valid) -> dict[str, str]:
    public = deployment.add_app(public=True)
    return valid.with_(client_id=public.client_id, client_secret=WRONG_SECRET)


def _endless_id(_: Deployment, valid: Valid) -> dict[str, str]:
    return valid.with_(client_id="x" * 4000)


IMPOSTORS: dict[str, Impostor] = {
    "unknown client": _unknown,
    "wrong secret": _wrong_secret,
    "the stored hash": _hash_as_secret,
    "confidential client without secret": _no_secret,
    "confidential client with empty secret": _empty_secret,
    "public client with secret": _public_with_secret,
    "endless client_id": _endless_id,
}


@pytest.mark.parametrize("impostor", IMPOSTORS.values(), ids=IMPOSTORS)
def test_who_fails_to_authenticate_learns_nothing(
    deployment: Deployment, valid: Valid, impostor: Impostor
) -> None:
    answer = post(PATH, impostor(deployment, valid))
    assert_error(answer, "invalid_client", 401)
    assert answer == post(PATH, _wrong_secret(deployment, valid))
    assert valid.still_works()


def test_a_disabled_client_fails_to_authenticate(
    deployment: Deployment, valid: Valid, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("client_cache_lifetime", 0)
    client = deployment.client(valid.app)
    client.disabled_at = client.created_at
    client.write()
    answer = post(PATH, valid.fields)
    assert_error(answer, "invalid_client", 401)
    assert answer == post(PATH, _unknown(deployment, valid))
    assert not valid.still_works()


def test_an_unknown_client_costs_as_many_reads_as_a_known_one(deployment: Deployment, valid: Valid) -> None:
    other = deployment.add_app()
    costs = []
    for client_id in (other.client_id, "0123456789abcdef"):
        with count_requests() as requests:
            for _ in range(3):
                post(PATH, valid.with_(client_id=client_id, client_secret=WRONG_SECRET))
        costs.append(requests.total())
    assert costs == [1, 1]
