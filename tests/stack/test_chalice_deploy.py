"""Plain `chalice deploy`, for those who prefer it: what it makes on MiniStack is what was asked for.

MiniStack's ImportRestApi leaves the API empty, so that no request goes through it:
`test_deployment.py` does that by CloudFormation.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.stack.checkout import Checkout, checkout

FUNCTIONS = {
    "oauth-dev": "app.app",
    "oauth-dev-bearer": "chalicelib.authorizer.bearer.bearer",
    "oauth-dev-authorizer": "chalicelib.authorizer.gateway.authorizer",
}


@pytest.fixture(scope="module")
def deployed(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    project = checkout(tmp_path_factory.mktemp("chalice"), ministack)
    for command in (
        (".venv/bin/python", "manage.py", "--stage", "dev", "tables", "create"),
        (".venv/bin/chalice", "deploy", "--stage", "dev"),
    ):
        done = project.run(*command)
        assert done.returncode == 0, done.stdout
    yield project
    done = project.run(".venv/bin/chalice", "delete", "--stage", "dev")
    assert done.returncode == 0, done.stdout


def configuration(deployed: Checkout, name: str) -> dict[str, Any]:
    found: dict[str, Any] = deployed.client("lambda").get_function(FunctionName=name)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_as_config_json_says(deployed: Checkout, name: str) -> None:
    config = json.loads((deployed.folder / ".chalice" / "config.json").read_text())
    found = configuration(deployed, name)["Configuration"]
    assert found["Handler"] == FUNCTIONS[name]
    assert found["Environment"]["Variables"] == config["stages"]["dev"]["environment_variables"]
    assert found["Timeout"] == config["lambda_timeout"]
    assert found["MemorySize"] == (512 if name == "oauth-dev" else 256)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_code_is_complete(deployed: Checkout, name: str) -> None:
    location = configuration(deployed, name)["Code"]["Location"]
    names = zipfile.ZipFile(io.BytesIO(urlopen(location).read())).namelist()  # nosec B310 # noqa: S310
    assert {"app.py", "chalicelib/pages/templates/consent.html", "pynamodb/models.py"} <= set(names)
    assert any(name.startswith("cryptography/") for name in names)
    assert not any(name.startswith(("management/", "tests/")) for name in names)


@pytest.mark.parametrize(
    ("name", "file"),
    [("oauth-dev", "api-handler"), ("oauth-dev-bearer", "bearer"), ("oauth-dev-authorizer", "authorizer")],
)
def test_it_may_do_what_its_policy_file_says(deployed: Checkout, name: str, file: str) -> None:
    role = configuration(deployed, name)["Configuration"]["Role"].rpartition("/")[2]
    iam = deployed.client("iam")
    (inline,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = iam.get_role_policy(RoleName=role, PolicyName=inline)["PolicyDocument"]
    written = Path(deployed.folder, ".chalice", f"policy-dev-{file}.json")
    assert found == json.loads(written.read_text())
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]


def test_the_tables_are_as_they_should_be(deployed: Checkout) -> None:
    told = deployed.run(".venv/bin/python", "manage.py", "--stage", "dev", "tables", "status", "--json")
    for table in json.loads(told.stdout):
        assert table["status"] == "ACTIVE"
        assert not set(table["problems"]) - {"no TTL"}  # MiniStack says DISABLED whatever is asked.
