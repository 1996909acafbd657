"""What the pages and the mails say: all of it is in `en.toml`, for whoever translates it."""

import functools
import time
import tomllib
from pathlib import Path

from markupsafe import Markup

from chalicelib import clock

_FILE = Path(__file__).with_name("en.toml")


def html(key: str, **values: object) -> Markup:
    """Return a text for a page; the values are escaped.

    Args:
        key: section and name in `en.toml`, as `consent.title`.
        values: what the text has in braces.

    Raises:
        KeyError: there is no such text, or it wants a value that is not given.
    """
    text = _texts()[key]
    markup = Markup(text)  # nosec B704 # noqa: S704 (the texts are ours; format escapes the values)
    return markup.format(**values)


def plain(key: str, **values: object) -> str:
    """Return a text for a mail, as `html` does for a page."""
    return _texts()[key].format(**values)


def exists(key: str) -> bool:
    """Tell whether there is such a text."""
    return key in _texts()


@functools.cache
def _texts() -> dict[str, str]:
    sections = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": text.strip()
        for section, texts in sections.items()
        for name, text in texts.items()
    }


def moment(epoch_seconds: int) -> Markup:
    """Return a day and a time of day, in UTC, for a page."""
    clock_time = time.strftime("%H:%M", time.gmtime(epoch_seconds))
    return html("date.moment", day=date(epoch_seconds), time=clock_time)


def date(epoch_seconds: int) -> Markup:
    """Return a day, in UTC, for a page."""
    moment = time.gmtime(epoch_seconds)
    month = _texts()["date.months"].split()[moment.tm_mon - 1]
    day = html("date.day", day=moment.tm_mday, month=month, year=moment.tm_year)
    return Markup('<time datetime="{}">{}</time>').format(clock.day(epoch_seconds), day)


def wait(seconds: int) -> Markup:
    """Return how long somebody has to wait, for a page."""
    if seconds < 90:
        return html("sign_in.seconds", count=seconds)
    return html("sign_in.minutes", count=-(-seconds // 60))
