"""The platform's colour, made readable: contrast as WCAG 2.2 (1.4.3) wants it, in light and dark."""

from chalicelib.settings import settings

Color = tuple[int, int, int]

CONTRAST, DARK_CONTRAST = 4.6, 7.5
"""WCAG asks for 4.5 to 1 between text and what is behind it. In the dark, more of it is easier to read."""

LIGHT_PAGE, LIGHT_TEXT = "#f4f6f8", "#ffffff"
DARK_CARD, DARK_TEXT = "#1c232b", "#08202f"
_STEPS = 50


def stylesheet() -> str:
    """Return the colours that follow from the setting `accent_color`, as CSS."""
    light = readable(settings.accent_color, CONTRAST, on=LIGHT_PAGE, towards="#000000")
    dark = readable(settings.accent_color, DARK_CONTRAST, on=DARK_CARD, towards="#ffffff")
    return (
        f":root {{ --accent: {light}; --on-accent: {LIGHT_TEXT}; }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f"  :root {{ --accent: {dark}; --on-accent: {DARK_TEXT}; }}\n"
        "}\n"
    )


def readable(color: str, contrast: float, *, on: str, towards: str) -> str:
    """Return a colour, mixed with another one as little as needed to be read on a background.

    Args:
        color: which.
        contrast: to the background, at least.
        on: the background.
        towards: black or white, to be mixed in.
    """
    for step in range(_STEPS + 1):
        mixed = _mix(parse(color), parse(towards), step / _STEPS)
        if contrast_of(mixed, parse(on)) >= contrast:
            return "#{:02x}{:02x}{:02x}".format(*mixed)
    return towards


def contrast_of(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Color) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(one: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def parse(color: str) -> Color:
    """Return red, green and blue, from 0 to 255, of a colour as #0b5d91."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
