r"""Another Chalice app, whose tokens the OAuth server's authorizer checks.

In the account and region of the authorizer, with the AWS command line:

    export OAUTH_AUTHORIZER_ARN=$(aws ssm get-parameter --name /oauth/prod/authorizer-arn \
        --query Parameter.Value --output text)
    chalice package --merge-template gateway-responses.json out
    aws cloudformation package --template-file out/sam.json --s3-bucket BUCKET \
        --output-template-file out/packaged.yaml
    aws cloudformation deploy --template-file out/packaged.yaml --stack-name maps-app \
        --capabilities CAPABILITY_IAM

`chalice deploy` does as well; then 401 and 403 come without `WWW-Authenticate`.
"""

import os

from chalice import Chalice, CustomAuthorizer

app = Chalice(app_name="maps")


def oauth() -> CustomAuthorizer:
    """Return the OAuth server's authorizer. Its rules are `OAUTH_SCOPE_RULES` of the OAuth server."""
    arn = os.environ.get("OAUTH_AUTHORIZER_ARN", "")
    if not arn and os.environ.get("AWS_CHALICE_CLI_MODE"):  # Deployed, nobody asks for it again.
        raise SystemExit("OAUTH_AUTHORIZER_ARN is not set")
    partition, region = (arn.split(":") + [""] * 4)[1:4:2]
    return CustomAuthorizer(
        "oauth",
        authorizer_uri=f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations",
        ttl_seconds=60,
    )


authorizer = oauth()


@app.route("/maps", methods=["GET"], authorizer=authorizer)
def maps():
    """Tell who asks. `read` is needed."""
    token = app.current_request.context["authorizer"]  # All of it is text.
    return {name: token[name] for name in ("client_id", "user_id", "scope")}


@app.route("/maps", methods=["POST"], authorizer=authorizer)
def add_map():
    """Do something. `write` is needed."""
    return maps()
