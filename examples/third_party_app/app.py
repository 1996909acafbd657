"""An application of somebody else, that uses the platform's API on its users' behalf.

It is written as its developer would, with requests-oauthlib, and knows nothing of the server but
what the getting-started page says. Its environment: CLIENT_ID, CLIENT_SECRET, PLATFORM (the
server's URL) and PORT.
"""

import json
import os

from flask import Flask, redirect, render_template_string, request, session, url_for
from requests_oauthlib import OAuth2Session

PLATFORM = os.environ["PLATFORM"]
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]

app = Flask(__name__)
app.secret_key = os.urandom(16)
app.config["SESSION_COOKIE_NAME"] = "example_app"

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Example application</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}
pre{background:#eee;color:#111;padding:1rem;overflow:auto}
.button{display:inline-block;
  padding:.6rem 1.5rem;border-radius:.5rem;background:#0b5d91;color:#fff;text-decoration:none}
</style>
<h1>Example application</h1>
{% if problem %}<p role="alert">The platform said: <strong>{{ problem }}</strong></p>{% endif %}
{% if profile %}<p>Connected. <code>GET /api/me</code>, signed with the access token, answers:</p>
<pre id="profile">{{ profile }}</pre>{% endif %}
<p><a id="connect" class="button" href="{{ url_for('connect') }}">Connect</a></p>"""


def platform(**options):
    """Return an OAuth session with the platform."""
    return OAuth2Session(CLIENT_ID, redirect_uri=url_for("callback", _external=True), **options)


@app.get("/")
def home():
    """Show the button."""
    return render_template_string(PAGE)


@app.get("/connect")
def connect():
    """Send the user to the platform's authorisation page."""
    url, session["state"] = platform().authorization_url(f"{PLATFORM}/oauth2/authorize/")
    return redirect(url)


@app.get("/callback")
def callback():
    """Trade the temporary code for an access token, and sign a request with it."""
    if "error" in request.args:
        return render_template_string(PAGE, problem=request.args["error"])
    oauth = platform(state=session.pop("state", None))
    oauth.fetch_token(
        f"{PLATFORM}/oauth2/access_token",
        authorization_response=request.url,
        client_secret=CLIENT_SECRET,
        include_client_id=True,
    )
    return render_template_string(PAGE, profile=json.dumps(oauth.get(f"{PLATFORM}/api/me").json(), indent=2))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
