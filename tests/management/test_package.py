"""What is uploaded: small, compiled, complete, and the same each time."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import botocore
import pytest

from management import dependencies, packaging
from management.packaging import Package
from management.stage_settings import StageSettings

ROOT = Path(__file__).parents[2]

MODULES = sorted((ROOT / "chalicelib").rglob("*.py"))

UNCHECKED_HASH = 1
"""The flags of bytecode that is used without a look at its source (PEP 552)."""


@pytest.fixture(scope="module")
def function(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code, unpacked as Lambda does it."""
    folder = tmp_path_factory.mktemp("task")
    zipfile.ZipFile(package.code).extractall(folder)
    return folder


@pytest.fixture(scope="module")
def layer(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opt")
    zipfile.ZipFile(package.layer).extractall(folder)
    return folder / "python"


def run(program: str, *path: Path) -> str:
    """Run a program with nothing but the standard library and these folders to import from."""
    setup = f"import sys\nsys.path[:0] = {[str(folder) for folder in path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", setup + program],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "oauth-dev"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_has_at_most_4_megabytes(package: Package) -> None:
    assert package.code.stat().st_size <= 4_000_000


def test_what_lambda_unpacks_is_far_from_its_limit(function: Path, layer: Path) -> None:
    size = sum(path.stat().st_size for folder in (function, layer) for path in folder.rglob("*"))
    assert size < 40_000_000 < 250 * 1024 * 1024


def test_every_module_of_ours_has_its_source_and_bytecode_that_is_trusted(function: Path) -> None:
    modules = [*(function / "chalicelib").rglob("*.py"), function / "app.py"]
    assert len(modules) == len(MODULES) + 1
    for module in modules:
        compiled = Path(importlib.util.cache_from_source(str(module))).read_bytes()
        assert compiled[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(compiled[4:8], "little") == UNCHECKED_HASH


def test_libraries_are_bytecode_alone(function: Path, layer: Path) -> None:
    for folder in (function, layer):
        sources = {path.relative_to(folder).parts[0] for path in folder.rglob("*.py")}
        assert sources <= {"app.py", "chalicelib"}


def test_a_function_makes_its_client_while_it_starts(function: Path) -> None:
    """For Lambda gives it a whole processor only then."""
    program = "import {module}; from chalicelib.models.table import dynamodb; print(bool(dynamodb._client))"
    for module in ("app", "chalicelib.authorizer.bearer", "chalicelib.authorizer.gateway"):
        assert run(program.format(module=module), function).strip() == "True"


COMPILED = """
from importlib.machinery import SourceFileLoader

compiled = []
compile_source = SourceFileLoader.source_to_code


def note(self, data, path, **options):
    compiled.append(path)
    return compile_source(self, data, path, **options)


SourceFileLoader.source_to_code = note
import {module}
print(compiled)
"""


@pytest.mark.parametrize("module", ["app", "chalicelib.authorizer.bearer", "chalicelib.events.publisher"])
def test_a_function_starts_without_compiling_anything(function: Path, module: str) -> None:
    assert run(COMPILED.format(module=module), function).strip() == "[]"


def test_every_module_can_be_imported(function: Path, layer: Path) -> None:
    names = [
        ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for module in MODULES
        if module.name != "local.py"  # For `chalice local`: the rest of Chalice is not there.
    ]
    run(f"import importlib; [importlib.import_module(name) for name in {names!r}]", function, layer)


def test_the_authorizer_needs_no_layer(function: Path) -> None:
    run("import chalicelib.authorizer.bearer", function)


def test_clients_can_be_made_for_all_services_that_are_called_and_no_other(function: Path) -> None:
    called = {"dynamodb"}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "create_client":
                assert isinstance(node.args[0], ast.Constant)
                called.add(str(node.args[0].value))
    assert called == set(dependencies.BOTOCORE_SERVICES)
    program = (
        "import botocore.session; session = botocore.session.get_session();"
        f"[session.create_client(name, region_name='eu-west-1') for name in {sorted(called)!r}];"
        "print(session.get_available_services())"
    )
    assert ast.literal_eval(run(program, function)) == sorted(called)


ENDPOINTS = """
from contextlib import suppress

import botocore.session

session = botocore.session.get_session()
session.set_credentials("id", "secret")
asked = []


class NotSent(Exception):
    pass


def look(request, **_):
    asked.append(request.url)
    raise NotSent


for service, operation in {operations!r}:
    for region in ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "mx-central-1"):
        client = session.create_client(service, region_name=region)
        client.meta.events.register("before-send", look)
        with suppress(NotSent):
            getattr(client, operation)()
print(asked)
"""

OPERATIONS = {
    "dynamodb": "list_tables",
    "events": "list_rules",
    "sesv2": "list_contact_lists",
    "sqs": "list_queues",
    "ssm": "describe_parameters",
}


def test_shortened_data_leads_to_the_same_endpoints(function: Path) -> None:
    assert set(OPERATIONS) == set(dependencies.BOTOCORE_SERVICES)
    program = ENDPOINTS.format(operations=list(OPERATIONS.items()))
    site_packages = Path(botocore.__file__).parents[1]
    asked = run(program, function)
    assert asked.count("https://") == 5 * len(OPERATIONS)
    assert asked == run(program, site_packages)


def test_no_rules_are_left_by_which_each_request_would_work_out_its_url(function: Path) -> None:
    program = (
        "import botocore.session;"
        "client = botocore.session.get_session().create_client('dynamodb', region_name='eu-west-1');"
        "print(client._ruleset_resolver)"
    )
    assert run(program, function) == "None\n"


def test_no_description_is_left_that_only_people_read(function: Path) -> None:
    models = list((function / "botocore" / "data").glob("*/*/service-2.json*"))
    assert {model.parts[-3] for model in models} == set(dependencies.BOTOCORE_SERVICES)
    for model in models:
        assert model.suffix == ".json"
        assert '"documentation":"' not in model.read_text()


def test_passwords_are_hashed_and_pages_rendered(function: Path) -> None:
    run(
        "from chalicelib.accounts import passwords;"
        "assert passwords.verify_password(passwords.hash_password('some password'), 'some password');"
        "from chalicelib.pages import rendering",
        function,
    )


def test_the_same_code_makes_the_same_package(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built from nothing, so that anybody can check; and a second deployment finds nothing to do."""
    monkeypatch.setattr(dependencies, "CACHE", tmp_path / "dependencies")
    again = packaging.build(StageSettings.of("dev"), tmp_path / "again", print)
    for path in package.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


def test_templates_and_styles_are_shipped_and_the_command_line_is_not(package: Package) -> None:
    names = zipfile.ZipFile(package.code).namelist()
    assert "chalicelib/pages/templates/consent.html" in names
    assert "chalicelib/pages/static/style.css" in names
    assert not any(name.startswith(("management/", "tests/", "manage.py", "run.py")) for name in names)


def test_the_template_names_the_code_and_the_layer(package: Package) -> None:
    resources = json.loads(package.template.read_text())["Resources"]
    functions = [
        one["Properties"] for one in resources.values() if one["Type"] == "AWS::Serverless::Function"
    ]
    assert {function["CodeUri"] for function in functions} == {"./deployment.zip"}
    assert resources["SignaturesLayer"]["Properties"]["ContentUri"] == "./layer.zip"
    assert "Layers" in resources["APIHandler"]["Properties"]
    assert "Layers" not in resources["Bearer"]["Properties"]


def descriptions(package: Package) -> dict[str, str]:
    resources = json.loads(package.template.read_text())["Resources"]
    return {name: resources[name]["Properties"]["Description"] for name in ("APIHandler", "Bearer")}


def test_what_sam_does_not_see_of_a_function_makes_a_new_version_all_the_same(
    package: Package, tmp_path: Path
) -> None:
    """It looks neither into a layer, nor at what a version does not have."""
    changed = Package(Path(shutil.copytree(package.folder, tmp_path / "changed")))
    packaging._describe_versions(StageSettings.of("dev"), changed)
    before = descriptions(package)
    assert descriptions(changed) == before
    changed.layer.write_bytes(b"another")
    packaging._describe_versions(StageSettings.of("dev"), changed)
    patched = descriptions(changed)
    assert patched["APIHandler"] != before["APIHandler"]
    assert patched["Bearer"] == before["Bearer"]
    template = json.loads(changed.template.read_text())
    template["Resources"]["Bearer"]["Properties"]["ReservedConcurrentExecutions"] = 5
    changed.template.write_text(json.dumps(template))
    packaging._describe_versions(StageSettings.of("dev"), changed)
    assert descriptions(changed)["Bearer"] != before["Bearer"]


def test_arm64_gets_libraries_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StageSettings("dev", "oauth", lambda_architecture="arm64")
    monkeypatch.setattr(packaging, "_write_template", lambda *_: None)
    package = packaging.build(settings, tmp_path / "arm64", print)
    for file in (package.code, package.layer):
        zipped = zipfile.ZipFile(file)
        libraries = [name for name in zipped.namelist() if name.endswith(".so")]
        assert libraries
        for name in libraries:
            machine = int.from_bytes(zipped.read(name)[18:20], "little")
            assert machine == 183, name  # EM_AARCH64


LOCKS = ("requirements.txt", "requirements-dev.txt")


def build_with_locks(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> str:
    """Try to build from locks that were changed; return why it cannot be done."""
    for name in LOCKS:
        (folder / name).write_text(change((ROOT / name).read_text()))
    monkeypatch.setattr(dependencies, "ROOT", folder)
    monkeypatch.setattr(dependencies, "CACHE", folder / "cache")
    with pytest.raises(dependencies.PackagingError) as refused:
        packaging.build(StageSettings("dev", "oauth"), folder / "out", print)
    return str(refused.value)


def test_what_pip_cannot_install_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = build_with_locks(
        tmp_path, monkeypatch, lambda lock: lock.replace("jinja2==", "no-such-package-of-anybodys==")
    )
    assert "no-such-package-of-anybodys" in told


@pytest.mark.parametrize("library", ["six", "chalice"])
def test_a_library_that_is_not_what_was_locked_is_refused(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chalice's runtime too, which its own packager takes from wherever it is installed."""
    spoilt = rf"(?m)^({library}==[^#]*)"
    told = build_with_locks(
        tmp_path,
        monkeypatch,
        lambda lock: re.sub(spoilt, lambda found: re.sub(r":[0-9a-f]{4}", ":0000", found[0]), lock),
    )
    assert "DO NOT MATCH THE HASHES" in told
    assert library in told


def test_a_lock_without_hashes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = build_with_locks(
        tmp_path, monkeypatch, lambda lock: re.sub(r"(?m)^(six==\S+) .*(\n    --hash=.*)+", r"\1", lock)
    )
    assert "six" in told
    assert "hash" in told.lower()
