"""Signing in with an OpenID provider: leaving, and coming back, for the first time and again."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from chalicelib.accounts import accounts
from tests.harness import Answer, Browser
from tests.matrix.flow import Flow, State
from tests.matrix.people_flows import is_signed_in
from tests.matrix.world import World
from tests.openid_provider import PERSON_EMAIL
from tests.pages.test_upstream import CALLBACK, button, sign_in

Step = TypeVar("Step", bound=Callable[..., Any])


def upstream(step: Step) -> Step:
    """Let a step be one of a deployment that has a provider."""

    @functools.wraps(step)
    def with_provider(world: World, *rest: Any) -> Any:
        with world.provided():
            return step(world, *rest)

    return cast("Step", with_provider)


@upstream
def sees_button(world: World, s: State) -> None:
    s.browser = Browser()
    s.page = s.browser.get("/sign-in")


@upstream
def leave(world: World, s: State) -> Answer:
    return s.browser.submit(s.page, button(s.page))


@upstream
def goes_there(world: World, s: State, answer: Answer) -> bool:
    return answer.status == 303 and answer.location.startswith(world.provider.issuer)


@upstream
def has_left(world: World, s: State) -> None:
    sees_button(world, s)
    s.back = f"{CALLBACK}?{world.provider.sign_in(leave(world, s).location)}"
    s.request = world.provider.request


@upstream
def has_left_with_an_account(world: World, s: State) -> None:
    accounts.add(PERSON_EMAIL, None)
    has_left(world, s)


@upstream
def has_left_again(world: World, s: State) -> None:
    sign_in(Browser(), world.provider)
    has_left(world, s)


@upstream
def come_back(world: World, s: State) -> Answer:
    world.provider.request = s.request
    return s.browser.get(s.back)


@upstream
def go_again(world: World, s: State) -> Answer:
    s.browser = Browser()
    return sign_in(s.browser, world.provider)


OVER = (503, 400)
"""400: who comes back twice is asked to start anew."""

FLOWS = [
    Flow("upstream: leave", sees_button, leave, goes_there),
    Flow(
        "upstream: come back, a new account", has_left, come_back, is_signed_in, anew=go_again, refusals=OVER
    ),
    Flow(
        "upstream: come back, a known address",
        has_left_with_an_account,
        come_back,
        is_signed_in,
        anew=go_again,
        refusals=OVER,
    ),
    Flow(
        "upstream: come back, a known person",
        has_left_again,
        come_back,
        is_signed_in,
        anew=go_again,
        refusals=OVER,
    ),
]
