"""What people do in their browsers: allow, sign in and up, look after account, connections and devices."""

from collections.abc import Callable

from chalicelib.accounts import accounts
from tests import harness
from tests.accounts.test_foreign_hashes import BCRYPT
from tests.harness import EMAIL, PASSWORD, Answer, Browser, is_alive
from tests.matrix.flow import Flow, State
from tests.matrix.protocol_flows import TRANSACTION, Act, has_device, has_tokens, meeting
from tests.matrix.world import World

NEW, NEW_PASSWORD = "new@example.org", "another password"
CHANGED = (503, 409)
"""Something else was changed in the meantime: by the very request whose answer got lost."""


def submit(browser: Browser, page: Answer, action: str, **fields: str) -> Answer:
    """Send the one of several forms that goes to an action, and be shown a page."""
    (form,) = [form for form in page.forms if form.action.endswith(action)]
    return browser.submit(page, form, **fields)


def can_sign_in(email: str, password: str) -> bool:
    browser = Browser()
    return browser.submit(browser.get("/sign-in"), email=email, password=password).status == 303


def is_signed_in(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and s.browser.get("/account").status == 200


def shows(text: str) -> Callable[[World, State, Answer], bool]:
    return lambda world, s, answer: answer.status == 200 and text in answer.body


def visits(path: str) -> Act:
    return lambda world, s: s.browser.get(path)


def visits_again(act: Act) -> Act:
    """Sign in, if that is what one has to do, and do it again."""

    def again(world: World, s: State) -> Answer:
        if s.browser.get("/account").status != 200:
            s.browser = world.signed_in_browser(password=NEW_PASSWORD)
        return act(world, s)

    return again


# Authorizing


def gives_code(world: World, s: State, answer: Answer) -> bool:
    if answer.status != 303 or "code" not in answer.redirect_params:
        return False
    answer = s.app.exchange(answer.redirect_params["code"])
    return answer.status == 200 and is_alive(answer.json["access_token"])


def is_asked(world: World, s: State) -> None:
    s.url = s.app.authorization_url()
    s.page = s.browser.get(s.url)


def has_allowed(world: World, s: State) -> None:
    s.url = s.app.authorization_url()
    world.code(s.app, s.browser)


def decide(decision: str) -> Act:
    def act(world: World, s: State) -> Answer:
        s.browser.url = s.url
        return s.browser.submit(s.page, decision=decision)

    return act


def ask_for_code(world: World, s: State) -> Answer:
    return s.browser.get(s.url)


def is_denied(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and answer.redirect_params["error"] == "access_denied"


# Signing in and up


def sees_sign_in(world: World, s: State) -> None:
    s.browser = Browser()
    s.page = s.browser.get("/sign-in")


def sees_sign_in_of_a_moved_account(world: World, s: State) -> None:
    account = accounts.find_by_email(EMAIL)
    assert account
    account.password_hash = BCRYPT
    account.write()
    sees_sign_in(world, s)


def sign_in(password: str) -> Act:
    return lambda world, s: s.browser.submit(s.page, email=EMAIL, password=password)


def sign_out(world: World, s: State) -> Answer:
    (form,) = [form for form in all_forms(s.page) if form.action.endswith("/sign-out")]
    return s.browser.submit(s.page, form)


def all_forms(page: Answer) -> list[harness.Form]:
    parser = harness._FormParser()
    parser.feed(page.body)
    return parser.forms


def sees_account(world: World, s: State) -> None:
    s.page = s.browser.get("/account")
    s.old = Browser()
    s.old.cookies = dict(s.browser.cookies)


def is_signed_out(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and s.old.get("/account").status == 303


def sees_form(path: str) -> Callable[[World, State], None]:
    def start(world: World, s: State) -> None:
        s.browser = Browser()
        s.page = s.browser.get(path)

    return start


def ask(email: str) -> Act:
    return lambda world, s: s.browser.submit(s.page, email=email)


def has_mail(world: World, s: State, answer: Answer) -> bool:
    """Tell whether the code of the last mail is asked for. The form below it does the rest."""
    return answer.status == 303 and bool(world.mailed_code) and s.browser.get(answer.location).status == 200


def has_code_by_mail(path: str, email: str) -> Callable[[World, State], None]:
    def start(world: World, s: State) -> None:
        s.path, s.email = path, email
        s.browser = Browser()
        s.page = s.browser.get(s.browser.submit(s.browser.get(path), email=email).location)

    return start


def confirm(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, code=world.mailed_code, new_password=NEW_PASSWORD)


def confirm_anew(world: World, s: State) -> Answer:
    """Sign in, if it has worked out, or let another code be mailed."""
    browser = Browser()
    answer = browser.submit(browser.get("/sign-in"), email=s.email, password=NEW_PASSWORD)
    if answer.status != 303:
        world.now += 60  # Mails are not sent so soon after each other.
        browser = Browser()
        page = browser.get(browser.submit(browser.get(s.path), email=s.email).location)
        answer = browser.submit(page, code=world.mailed_code, new_password=NEW_PASSWORD)
    s.browser = browser
    return answer


def has_new_password(world: World, s: State, answer: Answer) -> bool:
    return is_signed_in(world, s, answer) and can_sign_in(s.email, NEW_PASSWORD)


# The account


def wants_new_password(world: World, s: State) -> None:
    has_tokens(world, s)
    s.email = EMAIL
    s.page = s.browser.get("/account")
    s.browser.url = "/account"


def forgot_password(world: World, s: State) -> None:
    has_tokens(world, s)
    has_code_by_mail("/forgotten-password", EMAIL)(world, s)


def change_password(world: World, s: State) -> Answer:
    return submit(s.browser, s.page, "/password", current_password=PASSWORD, new_password=NEW_PASSWORD)


def has_new_password_and_no_tokens(world: World, s: State, answer: Answer) -> bool:
    return has_new_password(world, s, answer) and not is_alive(s.tokens["access_token"])


def sign_out_everywhere(world: World, s: State) -> Answer:
    return submit(s.browser, s.page, "/sign-out-everywhere")


def is_connected(world: World, s: State) -> None:
    has_tokens(world, s)
    s.page = s.browser.get("/connections")
    s.browser.url = "/connections"


def is_disconnected(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and not is_alive(s.tokens["access_token"])


# Devices


def device_page(world: World, s: State) -> None:
    has_device(world, s)
    s.page = s.browser.get("/device")


def device_question(world: World, s: State) -> None:
    device_page(world, s)
    s.page = s.browser.submit(s.page, user_code=s.device["user_code"])
    s.browser.url = "/device"


def type_code(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, user_code=s.device["user_code"])


def decide_about_device(decision: str) -> Act:
    return lambda world, s: s.browser.submit(s.page, decision=decision)


def device_gets(error: str) -> Callable[[World, State, Answer], bool]:
    """Tell whether the device gets what the person decided, whatever they are shown."""

    def reached(world: World, s: State, answer: Answer) -> bool:
        if answer.status not in (303, 422):  # 422: it was decided before.
            return False
        return bool(s.app.poll(s.device["device_code"]).json.get("error", "") == error)

    return reached


def is_refused(status: int) -> Callable[[World, State, Answer], bool]:
    return lambda world, s, answer: bool(answer.status == status)


FLOWS = [
    Flow("authorization page", is_asked, ask_for_code, shows('value="allow"')),
    Flow("allow", is_asked, decide("allow"), gives_code),
    Flow(
        "allow, with another transaction",
        is_asked,
        meeting(TRANSACTION, decide("allow")),
        gives_code,
        again=decide("allow"),
    ),
    Flow("deny", is_asked, decide("deny"), is_denied),
    Flow("authorization page, allowed before", has_allowed, ask_for_code, gives_code),
    Flow(
        "the same, with another transaction",
        has_allowed,
        meeting(TRANSACTION, ask_for_code),
        gives_code,
        again=ask_for_code,
    ),
    Flow("sign in", sees_sign_in, sign_in(PASSWORD), is_signed_in),
    Flow("sign in, with a wrong password", sees_sign_in, sign_in("wrong"), is_refused(422)),
    Flow(
        "sign in, with another system's hash",
        sees_sign_in_of_a_moved_account,
        sign_in(PASSWORD),
        is_signed_in,
    ),
    Flow("sign out", sees_account, sign_out, is_signed_out),
    Flow("sign up: ask for a code", sees_form("/sign-up"), ask(NEW), has_mail, refusals=(503, 429)),
    Flow(
        "sign up: type it",
        has_code_by_mail("/sign-up", NEW),
        confirm,
        has_new_password,
        anew=confirm_anew,
        refusals=CHANGED,
    ),
    Flow("forgotten password: ask for a code", sees_form("/forgotten-password"), ask(EMAIL), has_mail),
    Flow(
        "forgotten password: type it",
        forgot_password,
        confirm,
        has_new_password_and_no_tokens,
        anew=confirm_anew,
        refusals=CHANGED,
    ),
    Flow("account page", has_tokens, visits("/account"), shows("Example")),
    Flow(
        "change the password",
        wants_new_password,
        change_password,
        has_new_password_and_no_tokens,
        anew=confirm_anew,
        refusals=(*CHANGED, 303),
    ),
    Flow("sign out everywhere", sees_account, sign_out_everywhere, is_signed_out, refusals=CHANGED),
    Flow("connections page", has_tokens, visits("/connections"), shows("Example")),
    Flow("disconnect", is_connected, lambda w, s: submit(s.browser, s.page, "/connections"), is_disconnected),
    Flow("device: type the code", device_page, type_code, shows('value="allow"')),
    Flow(
        "device: type a wrong code",
        device_page,
        lambda w, s: s.browser.submit(s.page, user_code="BCDF-GHJK"),
        is_refused(422),
    ),
    Flow(
        "device: allow", device_question, decide_about_device("allow"), device_gets(""), refusals=(503, 422)
    ),
    Flow(
        "device: deny",
        device_question,
        decide_about_device("deny"),
        device_gets("access_denied"),
        refusals=(503, 422),
    ),
]
