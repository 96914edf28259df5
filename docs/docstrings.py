"""Docstrings of this library, as pages show them.

They are written densely: several names to a line, in ``Args:`` and ``Attributes:``. On a page each name gets a line of its own, and
a class shows all its fields with their types. Pure; `for_griffe.py` has mkdocstrings use it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from textwrap import dedent

TITLES = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises", "Returns": "Returns", "Example": ""}
_SECTION = re.compile(rf"^({'|'.join(TITLES)}):\n((?:[ ]{{4}}.*\n?|[ ]*\n)*)", re.MULTILINE)
_BARE_ADDRESS = re.compile(r"(?<![(<\"`])\bhttps?://[^\s)`>]*[^\s)`>.,;:]")


def items(text: str, names: Collection[str]) -> dict[str, str]:
    """``a, b: text. c: text`` → what is said of each name. Only `names` count as such, so that colons in a text do no harm."""
    text = " ".join(text.split())
    starts = [
        found
        for found in re.finditer(r"(?:(?<=^)|(?<=[.;)`] ))(\w+(?:, \w+)*): ", text)
        if all(name in names for name in found[1].split(", "))
    ]
    ends = [*(each.start() for each in starts[1:]), len(text)]
    said: dict[str, str] = {}
    for here, end in zip(starts, ends, strict=False):
        words = text[here.end() : end].strip().rstrip(";")
        for name in here[1].split(", "):
            said[name] = words
    return said


def section(text: str, title: str) -> str:
    """The body of one section of a docstring, or nothing."""
    return next((found[2] for found in _SECTION.finditer(text) if found[1] == title), "")


def linked(text: str) -> str:
    """Bare addresses as links that show the host."""
    return _BARE_ADDRESS.sub(lambda found: f"[{found[0].split('/')[2]}]({found[0]})", text)


_DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1 *\S.*)*\n?", re.MULTILINE)


def fenced(text: str) -> str:
    """Doctests as code, which Markdown would take for quotations."""
    text = re.sub(r" *# doctest: .*", "", text)
    return _DOCTEST.sub(lambda found: f"{found[1]}```pycon\n{found[0].rstrip()}\n{found[1]}```\n", text)


def clear(text: str, *, parameters: Collection[str] = (), attributes: Collection[str] = (), fields: Mapping[str, str] | None = None) -> str:
    """A docstring whose sections have one line a name. `fields`: name → type; those of which nothing is said close it, by type."""
    text = text.rstrip() + "\n"
    told = items(section(text, "Attributes"), fields or ())
    for title, names in (("Args", parameters), ("Attributes", fields or attributes)):
        given = section(text, title)
        if given and names:
            lines = "".join(f"    {name}: {words}\n" for name, words in items(given, names).items())
            text = text.replace(given, lines + ("\n" if given.endswith("\n\n") else ""), 1)
    unsaid: dict[str, list[str]] = {}
    for name, kind in (fields or {}).items():
        if name not in told:
            unsaid.setdefault(kind, []).append(f"`{name}`")
    if unsaid:
        intro = "More attributes" if section(text, "Attributes") else "Attributes"
        text += f"\n{intro}, by type:\n\n" + "".join(f"* `{kind}`: {', '.join(names)}\n" for kind, names in unsaid.items())
    # An example is code and no more: its title would make a box of it.
    text = _SECTION.sub(lambda found: dedent(found[2]) if found[1] == "Example" else found[0], text)
    return fenced(linked(text))


def markdown(text: str, parameters: Collection[str]) -> str:
    """A docstring as Markdown, for pages that are made without mkdocstrings."""
    parts, at = [], 0
    for found in _SECTION.finditer(text):
        said = items(found[2], parameters) if found[1] == "Args" else {}
        body = "".join(f"* `{name}`: {words}\n" for name, words in said.items())
        title = f"**{TITLES[found[1]]}:**" + ("\n\n" if said else " ")
        if found[1] == "Example":
            title, body = "", dedent(found[2])
        parts += [text[at : found.start()], title, body or f"{' '.join(found[2].split())}\n", "\n"]
        at = found.end()
    return fenced(linked("".join([*parts, text[at:]]))).strip()
