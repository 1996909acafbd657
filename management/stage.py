"""Stages: which settings the command line works with."""

import json
import os
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parent.parent / ".chalice" / "config.json"


class UnknownStage(Exception):
    """`.chalice/config.json` does not describe the stage."""


def config() -> dict[str, Any]:
    """Return `.chalice/config.json`."""
    read: dict[str, Any] = json.loads(CONFIG.read_text(encoding="utf-8"))
    return read


def stages() -> dict[str, Any]:
    """Return the stages in `.chalice/config.json`, by name."""
    return dict(config()["stages"])


def is_prod(stage: str) -> bool:
    """Tell whether a stage's tables stay, whatever happens: `prod`, and `prod-<region>` and the like."""
    return stage == "prod" or stage.startswith("prod-")


def app_name() -> str:
    """Return the name that Chalice gives the functions."""
    return str(config()["app_name"])


def enter(stage: str) -> None:
    """Set the environment of a stage, as `chalice local --stage` does.

    Call it before anything of `chalicelib` is imported: settings are read once.

    Raises:
        UnknownStage: there is no such stage.
    """
    known = stages()
    if stage not in known:
        raise UnknownStage(f"there is no stage {stage!r} in .chalice/config.json, but {', '.join(known)}")
    os.environ.update(known[stage].get("environment_variables", {}))
    issuer = default_issuer(stage)
    if issuer:
        os.environ["OAUTH_ISSUER"] = issuer


def default_issuer(stage: str) -> str:
    """Return the issuer of a stage with a custom domain that does not name one; else nothing."""
    entries = config()
    of_stage = entries["stages"].get(stage, {})
    domain = (entries | of_stage).get("api_gateway_custom_domain", {})
    variables = entries.get("environment_variables", {}) | of_stage.get("environment_variables", {})
    if not isinstance(domain, dict) or not domain.get("domain_name") or variables.get("OAUTH_ISSUER"):
        return ""
    return f"https://{domain['domain_name']}/{domain.get('url_prefix', '').strip('/')}".rstrip("/")
