"""The template as `chalice package` merges it, without the code, for any `.chalice/config.json`."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from chalice.config import Config
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import (
    BaseDeployStep,
    BuildStage,
    InjectDefaults,
    PolicyGenerator,
    SwaggerBuilder,
)
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.package import ResourceBuilder, SAMTemplateGenerator, TemplateDeepMerger
from chalice.policy import AppPolicyGenerator
from chalice.utils import OSUtils

from app import app
from management import infrastructure
from management import stage as stages
from management.stage_settings import StageSettings

Template = dict[str, Any]
Packaged = Callable[..., Template]
CONFIG = stages.config()
ROOT = stages.CONFIG.parent.parent


class NoCode(BaseDeployStep):
    """Stands for the code, which takes 15 seconds to package."""

    def handle_deploymentpackage(self, config: Config, resource: Any) -> None:
        resource.filename = "./deployment.zip"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """Package a stage that has these entries as well in its configuration."""

    def package(stage: str = "prod", **entries: Any) -> Template:
        config = copy.deepcopy(CONFIG)
        config["stages"][stage] |= entries
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        monkeypatch.setattr(stages, "CONFIG", path)
        ours = infrastructure.template(StageSettings.of(stage))
        merged: Template = TemplateDeepMerger().merge(ours, _of_chalice(stage, config))
        return merged

    return package


def _of_chalice(stage: str, config: dict[str, Any]) -> Template:
    """Let Chalice make its template."""
    osutils = OSUtils()
    steps = [
        InjectDefaults(),
        NoCode(),
        PolicyGenerator(policy_gen=AppPolicyGenerator(osutils), osutils=osutils),
        SwaggerBuilder(swagger_generator=CFNSwaggerGenerator()),
    ]
    builder = ResourceBuilder(ApplicationGraphBuilder(), DependencyBuilder(), BuildStage(steps=steps))
    parameters = {"chalice_app": app, "project_dir": str(ROOT)}
    read = Config(chalice_stage=stage, user_provided_params=parameters, config_from_disk=config)
    options = mock.Mock(service_principal=lambda service: f"{service}.amazonaws.com")
    template: Template = SAMTemplateGenerator(read, options).generate(
        builder.construct_resources(read, stage)
    )
    return template
