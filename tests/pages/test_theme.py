"""The platform's colour is readable, whatever it is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.pages import rendering, theme
from chalicelib.settings import Settings, SettingsError
from tests.harness import Browser, Deployment

COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def contrast(one: str, other: str) -> float:
    return theme.contrast_of(theme.parse(one), theme.parse(other))


@given(COLORS)
def test_any_colour_is_made_readable_in_light_and_dark(color: str) -> None:
    light = theme.readable(color, theme.CONTRAST, on=theme.LIGHT_PAGE, towards="#000000")
    assert contrast(light, theme.LIGHT_PAGE) >= 4.5
    assert contrast(light, theme.LIGHT_TEXT) >= 4.5
    dark = theme.readable(color, theme.DARK_CONTRAST, on=theme.DARK_CARD, towards="#ffffff")
    assert contrast(dark, theme.DARK_CARD) >= 4.5
    assert contrast(dark, theme.DARK_TEXT) >= 4.5


def test_a_colour_that_is_readable_stays_as_it_is() -> None:
    assert theme.readable("#0b5d91", theme.CONTRAST, on=theme.LIGHT_PAGE, towards="#000000") == "#0b5d91"


def test_contrast_is_what_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_stylesheet_has_the_platforms_colour_and_an_url_of_its_own(
    change_setting: Callable[[str, object], None],
) -> None:
    before = rendering.asset_url("style.css")
    change_setting("accent_color", "#7a0044")
    for cached in (rendering.asset, rendering.asset_url):
        cached.cache_clear()
    assert "--accent: #7a0044" in rendering.asset("style.css")
    assert rendering.asset_url("style.css") != before


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for cached in (rendering.asset, rendering.asset_url):
        cached.cache_clear()


def test_a_logo_is_shown_and_permitted(
    deployment: Deployment, change_setting: Callable[[str, object], None]
) -> None:
    change_setting("platform_logo", "https://cdn.example/logo.svg")
    page = Browser().get("/sign-in")
    assert '<img src="https://cdn.example/logo.svg" alt=""' in page.body
    assert "img-src 'self' data: https://cdn.example;" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "logo", ["http://cdn.example/x.png", "javascript:alert(1)", 'https://x/"', "https://x/; script-src *"]
)
def test_a_logo_that_could_do_more_is_refused(logo: str) -> None:
    with pytest.raises(SettingsError, match="OAUTH_PLATFORM_LOGO"):
        Settings.from_environment({"OAUTH_PLATFORM_LOGO": logo})


@pytest.mark.parametrize("color", ["blue", "#12345", "#1234567", "#gggggg"])
def test_a_colour_that_is_none_is_refused(color: str) -> None:
    with pytest.raises(SettingsError, match="OAUTH_ACCENT_COLOR"):
        Settings.from_environment({"OAUTH_ACCENT_COLOR": color})
