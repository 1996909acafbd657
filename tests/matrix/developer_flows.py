"""What developers do with their applications."""

from collections.abc import Callable

from chalicelib.models.client import Client
from chalicelib.oauth import clients
from tests.harness import Answer, App, is_alive
from tests.matrix.flow import Flow, State
from tests.matrix.people_flows import CHANGED, is_refused, shows, submit, visits
from tests.matrix.protocol_flows import TRANSACTION, Act, meeting, nothing
from tests.matrix.world import World
from tests.pages.test_applications import authenticates, page_of, register, secret_of

Reached = Callable[[World, State, Answer], bool]


def stored(s: State) -> Client | None:
    return clients.read(s.mine.client_id)


def has_application(world: World, s: State) -> None:
    s.mine = register(s.browser)
    s.tokens = world.tokens(s.mine, s.browser)


def sees(below: str) -> Callable[[World, State], None]:
    def start(world: World, s: State) -> None:
        has_application(world, s)
        s.page = page_of(s.browser, s.mine, below)

    return start


def sees_blank_form(world: World, s: State) -> None:
    s.page = s.browser.get("/applications/new?type=web")


def send_form(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, client_name="Mine", redirect_uris="https://mine.example/cb")


def is_registered(world: World, s: State, answer: Answer) -> bool:
    """Tell whether it is there, once. If its secret was not told, its owner asks for another one."""
    (mine,) = [client for client in Client.scan() if client.client_name == "Mine"]
    if answer.status not in (200, 409):
        return False
    if answer.status == 409:
        page = s.browser.get(f"/applications/{mine.client_id}")
        answer = submit(s.browser, page, "/secret", overlap="0")
        clients.forget()
    return authenticates(App(mine.client_id, secret_of(answer)))


def on_page(path: str) -> Act:
    return lambda world, s: page_of(s.browser, s.mine, path)


def change(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, client_name="Changed")


def change_anew(world: World, s: State) -> Answer:
    return s.browser.submit(page_of(s.browser, s.mine, "/edit"), client_name="Changed")


def is_changed(world: World, s: State, answer: Answer) -> bool:
    client = stored(s)
    return answer.status == 303 and client is not None and client.client_name == "Changed"


def rotate(world: World, s: State) -> Answer:
    return submit(s.browser, s.page, "/secret", overlap="3600")


def rotate_anew(world: World, s: State) -> Answer:
    s.page = page_of(s.browser, s.mine)
    return rotate(world, s)


def has_two_secrets(world: World, s: State, answer: Answer) -> bool:
    """Tell whether the secret that was told works, and the one that the application has, for an hour."""
    clients.forget()
    if answer.status != 200:
        return False
    return authenticates(App(s.mine.client_id, secret_of(answer))) and authenticates(s.mine)


def delete(world: World, s: State) -> Answer:
    return s.browser.submit(s.page)


def delete_anew(world: World, s: State) -> Answer:
    return s.browser.submit(page_of(s.browser, s.mine, "/delete"))


def is_deleted(world: World, s: State, answer: Answer) -> bool:
    return answer.status in (303, 404) and stored(s) is None and not is_alive(s.tokens["access_token"])


FLOWS = [
    Flow("applications: list", has_application, visits("/applications"), shows("Mine")),
    Flow("applications: form", nothing, visits("/applications/new?type=web"), shows("nonce")),
    Flow("applications: register", sees_blank_form, send_form, is_registered, refusals=CHANGED),
    Flow(
        "applications: register, with another transaction",
        sees_blank_form,
        meeting(TRANSACTION, send_form),
        is_refused(409),
        refusals=CHANGED,
        again=meeting(TRANSACTION, send_form),
    ),
    Flow("application: page", has_application, on_page(""), shows("Mine")),
    Flow("application: form", has_application, on_page("/edit"), shows("Mine")),
    Flow("application: change", sees("/edit"), change, is_changed, anew=change_anew, refusals=CHANGED),
    Flow("application: new secret", sees(""), rotate, has_two_secrets, anew=rotate_anew, refusals=CHANGED),
    Flow(
        "application: delete", sees("/delete"), delete, is_deleted, anew=delete_anew, refusals=(*CHANGED, 404)
    ),
]
