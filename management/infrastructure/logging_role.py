"""What API Gateway needs once in an account and region before any API there may write access logs.

It is one setting for all APIs. A stack that owned it would take it from the others when it goes.
"""

import json
import time

from botocore.exceptions import ClientError

from management.account import Account

POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
PROPAGATION_SECONDS = 60
"""How long IAM may take until API Gateway sees a new role."""


def may_log(account: Account) -> bool:
    """Tell whether API Gateway has a role to write logs with.

    Args:
        account: and the region in question.

    Raises:
        ClientError: AWS does not let us look.
    """
    return bool(account.client("apigateway").get_account().get("cloudwatchRoleArn"))


def allow_logging(account: Account) -> None:
    """Give API Gateway a role to write logs with, unless it has one.

    Args:
        account: and the region in question.

    Raises:
        ClientError: AWS does not let us. Then stacks can be deployed without access logs.
    """
    if may_log(account):
        return
    role = _role(account)
    operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    deadline = time.monotonic() + PROPAGATION_SECONDS
    while True:
        try:
            account.client("apigateway").update_account(patchOperations=[operation])
        except ClientError as error:
            # A role that was just made is not known everywhere yet.
            if error.response["Error"]["Code"] != "BadRequestException" or time.monotonic() > deadline:
                raise
            time.sleep(2)
        else:
            return


def _role(account: Account) -> str:
    """Make the role, or finish making it, and return its ARN."""
    iam = account.client("iam")
    name = f"api-gateway-logs-{account.region}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    try:
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust),
            Description=f"Lets API Gateway write logs, for all APIs in {account.region}",
        )
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName=name)
    arn = str(role["Role"]["Arn"])
    partition = arn.split(":", 2)[1]
    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:{partition}:iam::aws:policy/{POLICY}")
    return arn
