"""For each page: strangers, other accounts, and forms that did not come from it get nothing."""

from urllib.parse import urlencode

import pytest

from tests.harness import Browser
from tests.scene import ACTIONS, AT_A_PROVIDER, BY_KNOWLEDGE, FIRST, OTHER, Scene, csrf_token, routes

FOR_ANYBODY = {
    "/",
    "/developers",
    "/sign-in",
    "/sign-in/upstream/callback",
    "/sign-up",
    "/sign-up/confirm",
    "/forgotten-password",
    "/forgotten-password/confirm",
    "/oauth2/authorize",
}
"""Pages that strangers may see."""


def test_every_form_of_a_page_is_here() -> None:
    assert routes("POST") == set(ACTIONS) | AT_A_PROVIDER


@pytest.mark.parametrize("route", sorted(routes("GET") - FOR_ANYBODY))
def test_a_stranger_is_sent_to_sign_in_and_back(scene: Scene, route: str) -> None:
    answer = scene.get(route, {})
    assert answer.status == 303
    assert answer.location == "/sign-in?" + urlencode({"continue": scene.path(route)})
    assert answer.body == ""


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_the_form_does_something(scene: Scene, route: str) -> None:
    """So the other tests here could fail."""
    token = csrf_token(scene.browser.cookies)
    if route in FIRST:
        scene.post(FIRST[route], scene.browser.cookies, token)
    before = scene.deployment.snapshot()
    scene.post(route, scene.browser.cookies, token)
    assert scene.deployment.snapshot() != before


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_a_stranger_changes_nothing(scene: Scene, route: str) -> None:
    before = scene.deployment.snapshot()
    visitor = Browser()
    visitor.get("/sign-in")
    for cookies in ({}, {"__Host-session": "obs_" + "x" * 36}, visitor.cookies):
        token = csrf_token(cookies) if route not in BY_KNOWLEDGE and cookies else "0" * 64
        answer = scene.post(route, cookies, token)
        assert answer.status in (200, 303, 403), answer
        assert "location" not in answer.headers or answer.location.startswith("/sign-in?")
    assert scene.deployment.snapshot() == before


@pytest.mark.parametrize("route", sorted(ACTIONS))
def test_a_form_from_elsewhere_changes_nothing(scene: Scene, route: str) -> None:
    stale, neighbour = Browser(), scene.deployment.signed_in_browser()
    stale.get("/sign-in")
    other = scene.deployment.signed_in_browser(OTHER)
    if route in FIRST:
        scene.post(FIRST[route], scene.browser.cookies, csrf_token(scene.browser.cookies))
    before = scene.deployment.snapshot()
    tokens = [None, "", "0" * 64, "é", *(csrf_token(them.cookies) for them in (stale, neighbour, other))]
    for token in tokens:
        assert scene.post(route, scene.browser.cookies, token).status == 403, token
    assert scene.deployment.snapshot() == before


@pytest.mark.parametrize("route", sorted(set(ACTIONS) - BY_KNOWLEDGE))
def test_another_account_changes_nothing_of_mine(scene: Scene, route: str) -> None:
    other = scene.deployment.signed_in_browser(OTHER)
    before = scene.snapshot()
    answer = scene.post(route, other.cookies, csrf_token(other.cookies))
    assert answer.status < 500
    assert scene.snapshot() == before
    if "{client_id}" in route:
        assert answer.status == 404


@pytest.mark.parametrize("route", sorted(route for route in routes("GET") if "{client_id}" in route))
def test_another_account_sees_nothing_of_mine(scene: Scene, route: str) -> None:
    other = scene.deployment.signed_in_browser(OTHER)
    answer = scene.get(route, other.cookies)
    assert answer.status == 404
    assert "Mine" not in answer.body
