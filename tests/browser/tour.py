"""A walk past every page, for whoever wants to look at them all: axe, the camera."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from chalicelib.accounts.developers import MAX_APPLICATIONS
from tests.browser.callback import running_callback
from tests.browser.demo import Demo
from tests.browser.pages import decide, sign_in
from tests.harness import DEVICE_CODE
from tests.interop.processes import ROOT
from tests.interop.server import Account
from tests.mails import CODE, Mailbox

CALLBACK = "https://editor.example/callback"
SIZES = {"phone": (360, 740), "desktop": (1280, 800)}
THEMES = ("light", "dark")
TIMEOUT_MS = 10_000


@dataclass(frozen=True)
class Stop:
    """A page that is on the screen now."""

    name: str
    """The template, and what is special about it after a dash."""
    page: Page


def looks(stop: Stop) -> Iterator[str]:
    """Show a page in each theme and size, and yield what they are called."""
    for theme in THEMES:
        stop.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        for size, (width, height) in SIZES.items():
            stop.page.set_viewport_size({"width": width, "height": height})
            yield f"{theme}-{size}"


def tour(browser: Browser, demo: Demo) -> Iterator[Stop]:
    """Walk past every page."""
    account = demo.server.add_account()
    page = _new_tab(browser)
    for part in (_signing_up, _asking, _connecting, _owning, _adding_a_device, _developing):
        yield from part(page, demo, account)
    page.context.close()


def _signing_up(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    newcomer = Account(f"newcomer-{uuid.uuid4().hex}@example.org", "correct horse")
    page.goto(f"{demo.server.url}/connections")
    page.get_by_role("link", name="Create an account").click()
    yield Stop("email_form-sign_up", page)
    page.get_by_label("E-mail address").fill(newcomer.email)
    page.get_by_role("button", name="Send me a code").click()
    page.get_by_label("Code").fill("BBBB-BBBB")
    page.get_by_label("Choose a password").fill(newcomer.password)
    page.get_by_role("button", name="Create the account").click()
    yield Stop("code_form-wrong", page)
    page.get_by_label("Code").fill(mailed_code(newcomer.email))
    page.get_by_label("Choose a password").fill(newcomer.password)
    page.get_by_role("button", name="Create the account").click()
    yield Stop("connections-new", page)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{demo.server.url}/connections")
    page.get_by_role("link", name="Forgotten your password?").click()
    yield Stop("email_form-forgotten", page)


def _asking(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    verified = _add_client(demo, "Map editor", "--scope", "read write")
    page.goto(_authorization_url(demo, verified, scope="read write"))
    yield Stop("sign_in-waiting", page)
    sign_in(page, Account(account.email, "wrong password"))
    yield Stop("sign_in-wrong", page)
    page.get_by_label("Password").fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    yield Stop("consent-verified", page)
    page.goto(_authorization_url(demo, verified, redirect_uri="https://evil.example/"))
    yield Stop("error-400", page)

    unverified = _add_client(demo, "An application with quite a long name, from the harbour", "--unverified")
    page.goto(_authorization_url(demo, unverified))
    yield Stop("consent-unverified", page)
    page.goto(_authorization_url(demo, unverified, response_type="nothing"))
    yield Stop("refused", page)

    page.route("**/static/form_post.js", lambda route: route.abort())
    page.goto(_authorization_url(demo, verified, response_mode="form_post"))
    decide(page, "Allow")
    yield Stop("form_post", page)
    page.unroute_all()


def _owning(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    with running_callback() as callback:
        client_id = _add_client(demo, "Bird map", redirect_uri=callback.url)
        page.goto(_authorization_url(demo, client_id, redirect_uri=callback.url))
        decide(page, "Allow")
        page.wait_for_url(f"{callback.url}**")
    page.goto(f"{demo.server.url}/account")
    yield Stop("account", page)
    page.get_by_label("Current password").fill("a wrong password")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change the password").click()
    yield Stop("account-wrong", page)


def _adding_a_device(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    client_id = _add_client(demo, "Television", "--public", "--grant-type", DEVICE_CODE)
    asked = page.context.request.post(
        f"{demo.server.url}/oauth2/device_authorization", form={"client_id": client_id}
    )
    page.goto(asked.json()["verification_uri"])
    yield Stop("device", page)
    page.get_by_label("Code").fill("BBBB-BBBB")
    page.get_by_role("button", name="Continue").click()
    yield Stop("device-wrong", page)
    page.get_by_label("Code").fill(asked.json()["user_code"])
    page.get_by_role("button", name="Continue").click()
    yield Stop("device_consent", page)
    decide(page, "Allow")
    yield Stop("device_done", page)


def _developing(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    applications = f"{demo.server.url}/applications"
    page.context.clear_cookies()
    page.goto(demo.server.url)
    yield Stop("developers-stranger", page)
    page.goto(applications)
    sign_in(page, account)
    yield Stop("applications-none", page)
    page.goto(f"{applications}/new")
    yield Stop("application_types", page)
    page.get_by_role("link", name="Web application").click()
    yield Stop("application_new", page)
    page.get_by_label("Name", exact=True).fill("Map of trees")
    page.get_by_label("Redirect URIs").fill("http://trees.example/callback")
    page.get_by_role("button", name="Register").click()
    yield Stop("application_new-wrong", page)
    page.get_by_label("Redirect URIs").fill(CALLBACK)
    page.get_by_role("button", name="Register").click()
    yield Stop("application_secret", page)
    page.reload()
    yield Stop("application_registered", page)
    page.get_by_role("link", name="Go to the application").click()
    yield Stop("application", page)
    page.get_by_role("link", name="Change").click()
    yield Stop("application_edit", page)
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Delete").click()
    yield Stop("application_delete", page)
    page.goto(applications)
    yield Stop("applications", page)
    page.goto(f"{demo.server.url}/developers")
    yield Stop("developers", page)
    yield from _refused(page, demo)


def _refused(page: Page, demo: Demo) -> Iterator[Stop]:
    """Look at what an account is told that has all the applications it may have."""
    new = f"{demo.server.url}/applications/new"
    page.goto(f"{new}?type=service")
    form: dict[str, str | float | bool] = {
        "csrf_token": page.locator("input[name=csrf_token]").last.input_value()
    }
    form |= {"application_type": "service", "client_name": "One of many", "scope:read": "on"}
    for number in range(MAX_APPLICATIONS - 1):
        assert page.context.request.post(new, form=form | {"nonce": f"{number:022}"}).ok
    page.goto(new)
    yield Stop("application_refused", page)


def _connecting(page: Page, demo: Demo, account: Account) -> Iterator[Stop]:
    page.goto(f"{demo.server.url}/connections")
    yield Stop("connections", page)
    page.get_by_role("button", name="Disconnect").click()
    yield Stop("connections-none", page)


def mailed_code(email: str) -> str:
    """Return the code in the last mail to an address."""
    box = Mailbox(ROOT / "build" / "mail.txt")
    (code,) = CODE.findall([mail for mail in box.mails if mail["To"] == email][-1].get_content())
    return str(code)


def _new_tab(browser: Browser) -> Page:
    context = browser.new_context()
    context.set_default_timeout(TIMEOUT_MS)
    return context.new_page()


def _add_client(demo: Demo, name: str, *options: str, redirect_uri: str = CALLBACK) -> str:
    add = ("client", "add", "--name", name, "--redirect-uri", redirect_uri, "--json")
    told = demo.server.manage(*add, *options)
    record: dict[str, Any] = json.loads(told)
    return str(record["client_id"])


def _authorization_url(demo: Demo, client_id: str, **parameters: str) -> str:
    asked = {"client_id": client_id, "redirect_uri": CALLBACK, "response_type": "code"} | parameters
    return f"{demo.server.authorization_endpoint}?{urlencode(asked)}"
