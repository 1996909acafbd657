"""The custom domain of a stage, as far as Chalice leaves something to say."""

from typing import Any

from management.stage_settings import StageSettings

DOMAIN = "ApiGatewayCustomDomain"
"""What Chalice calls it."""


def resources(stage: StageSettings) -> dict[str, Any]:
    """Return what is merged into Chalice's domain, and the DNS record if we may make it."""
    if not stage.domain_name:
        return {}
    # Chalice names the stage, and nothing then makes the mapping wait for it.
    merged: dict[str, Any] = {f"{DOMAIN}Mapping": {"Properties": {"Stage": {"Ref": "RestAPI.Stage"}}}}
    if stage.hosted_zone_id:
        merged["DomainRecord"] = {
            "Type": "AWS::Route53::RecordSet",
            "Properties": {
                "HostedZoneId": stage.hosted_zone_id,
                "Name": stage.domain_name,
                "Type": "A",
                "AliasTarget": {"DNSName": target(stage), "HostedZoneId": target_zone(stage)},
            },
        }
    return merged


def target(stage: StageSettings) -> dict[str, Any]:
    """Return the name that the domain has to lead to, in DNS."""
    return {"Fn::GetAtt": [DOMAIN, f"{_kind(stage)}DomainName"]}


def target_zone(stage: StageSettings) -> dict[str, Any]:
    """Return the hosted zone of that name, which an alias record of Route 53 asks for."""
    return {"Fn::GetAtt": [DOMAIN, f"{_kind(stage)}HostedZoneId"]}


def _kind(stage: StageSettings) -> str:
    return "Distribution" if stage.api_gateway_endpoint_type == "EDGE" else "Regional"
