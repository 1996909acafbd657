"""The functions: what is said of them beyond what Chalice knows."""

from typing import Any

from management.infrastructure.policies import FUNCTIONS
from management.stage_settings import StageSettings

LAYER_FILE = "layer.zip"

SIGNERS = ("api_handler",)
"""The functions that check signatures."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return the functions, by their logical ids, to merge into Chalice's, and their layer."""
    functions: dict[str, Any] = {
        logical_id: {"Properties": {"FunctionName": stage.function_name(function)}}
        for function, logical_id in FUNCTIONS.items()
    }
    for function in SIGNERS:
        functions[FUNCTIONS[function]]["Properties"]["Layers"] = [{"Ref": "SignaturesLayer"}]
    return functions | {"SignaturesLayer": _layer(stage)}


def _layer(stage: StageSettings) -> dict[str, Any]:
    """Return the layer with the package `cryptography`, which is larger than all the rest together."""
    return {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {
            "LayerName": f"{stage.stack_name}-signatures",
            "ContentUri": f"./{LAYER_FILE}",
            "CompatibleArchitectures": [stage.lambda_architecture],
            "RetentionPolicy": "Delete",
        },
    }
