"""A stage with a domain of its own."""

import os
from typing import Any
from unittest import mock

import pytest

from management import stage as stages
from management.stage_settings import StageError
from tests.infrastructure.conftest import Packaged
from tests.infrastructure.test_lint import DOMAIN


def variables(template: dict[str, Any]) -> list[dict[str, str]]:
    functions = [template["Resources"][name] for name in ("APIHandler", "Bearer")]
    return [function["Properties"]["Environment"]["Variables"] for function in functions]


def issuer_of(stage: str) -> str | None:
    """Return the issuer that the command line works with."""
    with mock.patch.dict(os.environ):
        os.environ.pop("OAUTH_ISSUER", None)
        stages.enter(stage)
        return os.environ.get("OAUTH_ISSUER")


@pytest.mark.parametrize(
    ("more", "issuer"),
    [
        ({}, "https://auth.example.org"),
        ({"url_prefix": "/"}, "https://auth.example.org"),
        ({"url_prefix": "oauth"}, "https://auth.example.org/oauth"),
    ],
)
def test_the_domain_is_the_issuer(packaged: Packaged, more: dict[str, str], issuer: str) -> None:
    template = packaged("dev", api_gateway_custom_domain=DOMAIN | more)
    assert [function["OAUTH_ISSUER"] for function in variables(template)] == [issuer, issuer]
    assert issuer_of("dev") == issuer


def test_an_issuer_that_is_set_stays(packaged: Packaged) -> None:
    explicit = {"OAUTH_TABLE_PREFIX": "oauth-dev", "OAUTH_ISSUER": "https://login.example.org"}
    template = packaged("dev", api_gateway_custom_domain=DOMAIN, environment_variables=explicit)
    assert variables(template) == [explicit, explicit]
    assert issuer_of("dev") == "https://login.example.org"


def test_without_a_domain_the_issuer_comes_from_the_request(packaged: Packaged) -> None:
    assert all("OAUTH_ISSUER" not in function for function in variables(packaged("dev")))
    assert issuer_of("dev") is None


@pytest.mark.parametrize(("endpoint", "kind"), [("EDGE", "Distribution"), ("REGIONAL", "Regional")])
def test_where_dns_has_to_lead_is_an_output(packaged: Packaged, endpoint: str, kind: str) -> None:
    template = packaged("dev", api_gateway_custom_domain=DOMAIN, api_gateway_endpoint_type=endpoint)
    target = template["Outputs"]["DomainTarget"]["Value"]
    assert target == {"Fn::GetAtt": ["ApiGatewayCustomDomain", f"{kind}DomainName"]}
    properties = template["Resources"]["ApiGatewayCustomDomain"]["Properties"]
    assert properties["DomainName"] == "auth.example.org"
    assert properties["SecurityPolicy"] == "TLS_1_2"
    assert "DomainRecord" not in template["Resources"]


def test_the_mapping_waits_for_the_stage(packaged: Packaged) -> None:
    mapping = packaged("dev", api_gateway_custom_domain=DOMAIN)["Resources"]["ApiGatewayCustomDomainMapping"]
    assert mapping["Properties"]["Stage"] == {"Ref": "RestAPI.Stage"}


def test_a_hosted_zone_gets_the_record(packaged: Packaged) -> None:
    zone = {"hosted_zone_id": "Z0123456789"}
    resources = packaged("dev", api_gateway_custom_domain=DOMAIN, deployment=zone)["Resources"]
    assert resources["DomainRecord"]["Properties"] == {
        "HostedZoneId": "Z0123456789",
        "Name": "auth.example.org",
        "Type": "A",
        "AliasTarget": {
            "DNSName": {"Fn::GetAtt": ["ApiGatewayCustomDomain", "DistributionDomainName"]},
            "HostedZoneId": {"Fn::GetAtt": ["ApiGatewayCustomDomain", "DistributionHostedZoneId"]},
        },
    }


def test_a_domain_without_a_certificate_is_refused(packaged: Packaged) -> None:
    with pytest.raises(StageError, match="api_gateway_custom_domain: expected an object with domain_name"):
        packaged("dev", api_gateway_custom_domain={"domain_name": "auth.example.org"})
