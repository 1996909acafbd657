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


LITERAL = re.compile(r"""["']([\w{}.\[\]'"]*\.[\w{}.]*|[a-z]\w*\.)["']""")


def as_pattern(literal: str) -> str:
    """Return which keys a literal may become: what is in braces, or joined to it, may be any word."""
    words = "".join(
        r"\w+" if part.startswith("{") else re.escape(part) for part in re.split(r"({[^}]*})", literal)
    )
    return (r"\w+" if literal.startswith(".") else "") + words + (r"\w+" if literal[-1] in "._" else "")


PATTERNS = {as_pattern(literal) for literal in LITERAL.findall(CODE)} - {r"\w+\.\w+"}
USED = re.compile("|".join(f"(?:{pattern})" for pattern in sorted(PATTERNS)))


@pytest.mark.parametrize("key", KEYS)
def test_every_text_is_used(key: str) -> None:
    assert USED.fullmatch(key)


def test_a_text_that_nobody_uses_would_be_noticed() -> None:
    assert not USED.fullmatch("connections.nobody_uses_this")


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
