"""The role that API Gateway needs once in an account and region to write logs."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
import moto
import pytest
from botocore.exceptions import ClientError

from management.account import Account
from management.deploy import may_have_access_logs
from management.infrastructure import logging_role


class Gateway:
    """The part of API Gateway that moto does not have: its account."""

    def __init__(self) -> None:
        self.role = ""
        self.propagated_after = 0

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": self.role} if self.role else {}

    def update_account(self, patchOperations: list[dict[str, str]]) -> None:  # noqa: N803
        if self.propagated_after:
            self.propagated_after -= 1
            refused = {"Error": {"Code": "BadRequestException", "Message": "The role ARN does not have..."}}
            raise ClientError(refused, "UpdateAccount")
        (operation,) = patchOperations
        assert (operation["op"], operation["path"]) == ("replace", "/cloudwatchRoleArn")
        self.role = operation["value"]


class InEurope(Account):
    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.region, self.id = gateway, "eu-central-1", "123456789012"

    def client(self, service: str) -> Any:
        return self.gateway if service == "apigateway" else boto3.client(service, self.region)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setattr("time.sleep", mock.Mock())
    with moto.mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        yield Gateway()


def roles() -> list[str]:
    return [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]]


def test_an_account_that_may_not_log_is_given_a_role(gateway: Gateway) -> None:
    account = InEurope(gateway)
    assert not logging_role.may_log(account)
    logging_role.allow_logging(account)
    assert logging_role.may_log(account)
    assert gateway.role == "arn:aws:iam::123456789012:role/api-gateway-logs-eu-central-1"
    attached = boto3.client("iam").list_attached_role_policies(RoleName="api-gateway-logs-eu-central-1")
    assert [policy["PolicyName"] for policy in attached["AttachedPolicies"]] == [
        "AmazonAPIGatewayPushToCloudWatchLogs"
    ]


def test_a_role_that_there_is_stays(gateway: Gateway) -> None:
    gateway.role = "arn:aws:iam::123456789012:role/somebody-else-s"
    logging_role.allow_logging(InEurope(gateway))
    assert gateway.role == "arn:aws:iam::123456789012:role/somebody-else-s"
    assert roles() == []


def test_what_was_interrupted_is_gone_on_with(gateway: Gateway) -> None:
    account = InEurope(gateway)
    logging_role.allow_logging(account)
    gateway.role = ""
    logging_role.allow_logging(account)
    assert logging_role.may_log(account)
    assert roles() == ["api-gateway-logs-eu-central-1"]


def test_iam_may_take_its_time(gateway: Gateway) -> None:
    gateway.propagated_after = 3
    logging_role.allow_logging(InEurope(gateway))
    assert gateway.role


def test_a_role_that_is_never_taken_is_told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.propagated_after = 3
    monkeypatch.setattr(logging_role, "PROPAGATION_SECONDS", -1)
    with pytest.raises(ClientError, match="BadRequestException"):
        logging_role.allow_logging(InEurope(gateway))


def test_who_may_not_give_the_role_deploys_without_access_logs(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "No."}}, "GetAccount")
    monkeypatch.setattr(gateway, "get_account", mock.Mock(side_effect=denied))
    assert not may_have_access_logs(InEurope(gateway))
    assert "Without access logs" in capsys.readouterr().err
