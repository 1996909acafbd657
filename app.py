"""The Chalice app: what is served, and nothing else."""

import os

from chalice import Chalice

from chalicelib.authorizer import bearer
from chalicelib.endpoints import api, oauth2
from chalicelib.pages import account, assets, authorize, connections, forgotten_password, sign_in, sign_up

app = Chalice(app_name="oauth")
for module in (
    bearer,
    oauth2,
    authorize,
    sign_in,
    sign_up,
    forgotten_password,
    connections,
    account,
    assets,
    api,
):
    app.register_blueprint(module.blueprint)

if os.environ.get("AWS_CHALICE_CLI_MODE"):
    from chalicelib.authorizer import local

    local.install()
