"""Every text is in one file, and every text in it is used."""

import re
import tomllib
from pathlib import Path

import pytest

from chalicelib.pages import texts

PAGES = Path(texts.__file__).parent
SOURCES = [path for path in PAGES.rglob("*") if path.suffix in (".py", ".html", ".txt")]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
SECTIONS = tomllib.loads((PAGES / "en.toml").read_text(encoding="utf-8"))
KEYS = [f"{section}.{name}" for section, named in SECTIONS.items() for name in named]
WORDS = re.compile(r">\s*[A-Za-z][^<>{}=]{2,}<")


@pytest.mark.parametrize("key", KEYS)
def test_every_text_is_used(key: str) -> None:
    section, _, name = key.partition(".")
    assert (
        key in CODE
        or (f'"{section}.' in CODE and re.search(rf'["_]{re.escape(name)}"', CODE))
        or (name.startswith("title_") and "error.title_" in CODE)
    )


@pytest.mark.parametrize(
    "key", sorted(set(re.findall(r'(?:\bt|html|plain)\(\s*"([a-z_]+\.[a-z_0-9]+)"', CODE)))
)
def test_every_text_that_is_used_is_there(key: str) -> None:
    assert texts.exists(key)


@pytest.mark.parametrize("template", sorted(PAGES.glob("templates/*.html")), ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(template: Path) -> None:
    html = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
    html = re.sub(r"<(script|pre|code)\b.*?</\1>", "", html, flags=re.DOTALL)
    assert WORDS.findall(html) == []


def test_values_are_escaped() -> None:
    assert "<b>" not in texts.html("consent.heading", client="<b>")
    assert "<strong>" in texts.html("consent.heading", client="<b>")
