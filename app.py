"""The Chalice app: what is served, and nothing else."""

import os

from chalice import Chalice

from chalicelib.authorizer import bearer, gateway
from chalicelib.endpoints import api, oauth2, requests
from chalicelib.pages import (
    account,
    application,
    applications,
    assets,
    authorize,
    connections,
    developers,
    device,
    forgotten_password,
    sign_in,
    sign_up,
    upstream,
)

app = Chalice(app_name="oauth", configure_logs=False)
for module in (
    requests,
    bearer,
    gateway,
    oauth2,
    authorize,
    sign_in,
    upstream,
    sign_up,
    forgotten_password,
    connections,
    account,
    device,
    applications,
    application,
    developers,
    assets,
    api,
):
    app.register_blueprint(module.blueprint)

if os.environ.get("AWS_CHALICE_CLI_MODE"):
    from chalicelib.authorizer import local

    local.install()
