"""What the documentation takes from the code itself: tables of settings, breaks, findings and errors, and the clients' methods.

A page says ``<!-- table: breaks -->`` where one goes. ``<!-- bars: what is shown, unit`` with a line ``label = number`` a bar becomes
a chart. Comments that hold the set-up of a page's snippets are left out of the page.
"""

from __future__ import annotations

import html
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from loop_whiplash import LoopClient, Policy, Settings, WhiplashClient, errors
from loop_whiplash.http.groups import endpoint, listing, lookup
from loop_whiplash.matching.codes import CODES
from loop_whiplash.planning.breaks import BREAKS

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import items, markdown, section


def length(value: timedelta) -> str:
    """A length of time in words."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        seconds = value.total_seconds()
        if seconds and seconds % unit == 0:
            count = int(seconds // unit)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "0"


def default(field: attrs.Attribute[Any]) -> str:
    """The default of a field as one would write it."""
    value: Any = field.default
    if field.name == "start":
        return "*required by* `Integration`"
    if value is attrs.NOTHING:
        return "*required*"
    if "Factory" in type(value).__name__ or value in ((), {}):
        return "empty"
    return length(value) if isinstance(value, timedelta) else f"`{value!r}`"


def meanings(kind: type) -> dict[str, str]:
    """What a class's docstring says of each of its fields, in ``Attributes:``."""
    names = [field.name for field in attrs.fields(kind)]
    found = items(section(inspect.getdoc(kind) or "", "Attributes"), names)
    for name in names:
        # "…; `return_action` for every other outcome": said in the sentence of another.
        told = next((said for said in found.values() if f"`{name}`" in said), None)
        if name not in found and told is not None:
            found[name] = told
    return found


def cell(text: str) -> str:
    """Text for a table: one line, reStructuredText's double backticks as Markdown's single ones."""
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


def table(*head: str, rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell(each) for each in line) + " |" for line in lines)


def fields(kind: type) -> str:
    """A table of a class's settings."""
    said = meanings(kind)
    visible = [field for field in attrs.fields(kind) if field.init]
    missing = [field.name for field in visible if field.name not in said]
    if missing:
        raise LookupError(f"{kind.__name__} says nothing of {', '.join(missing)}")
    return table("Setting", "Default", "Meaning", rows=((f"`{field.name}`", default(field), said[field.name]) for field in visible))


def breaks() -> str:
    """The table of breaks."""

    def row(kind: Any) -> tuple[str, ...]:
        marks = [word for word, holds in (("Heals by itself.", kind.heals), ("Needs journals.", kind.needs_journals)) if holds]
        meaning = f"{kind.meaning} {f'*{chr(32).join(marks)}*' if marks else ''}"
        step = re.sub(r"\b\w+\(\)", lambda call: f"`{call[0]}`", kind.next_step)
        return f"`{kind.code}`", meaning, f"**{kind.owner}**: {step}", kind.at_risk or "–"

    return table("Code", "Meaning", "Whose turn, and the next step", "Money stands for", rows=(row(kind) for kind in BREAKS.values()))


def findings() -> str:
    """The table of findings, worst first."""

    def row(name: str, code: Any) -> tuple[str, ...]:
        begins = (code.wait.value or "-").removesuffix("_single")
        grace = [setting for setting in attrs.fields_dict(Policy) if setting.startswith(begins)]
        return f"`{name}`", code.said, code.meaning, " or ".join(f"`{each}`" for each in grace) or "final at once"

    return table("Code", "In words", "When", "Curable for", rows=(row(name, code) for name, code in CODES.items()))


ADVICE = {
    "ConfigurationError": "Correct the argument that the message names.",
    "PolicyError": "Correct the settings that the message names.",
    "AuthenticationFailed": "Check the key or token. Loop says 401 for a missing scope too: check the scopes of the key.",
    "ScopeMissing": "Give the credentials the scope, or check the customer id.",
    "NotFound": "Check the id, and that the key is of the right shop: a wrong customer id reads as not found, too. "
    "Where it is not `certain`, check `base_url`.",
    "ActionRefused": "Read the return again: `state` says why. A refused process of a return that is closed and processed is a success; "
    "one with `maybe_applied` was no clear no.",
    "ValidationFailed": "Correct the fields that `fields` names.",
    "Conflict": "Look it up by `original_id`: it is there already.",
    "RateLimited": "Wait `retry_after` seconds. Share one limiter between processes that spend the same key.",
    "ServerError": "Nothing was changed. Try later.",
    "ConnectionFailed": "Nothing was sent. Check the network and `base_url`, then try again.",
    "TimedOut": "Nothing was changed. Try again, or give a longer `timeout`.",
    "OutcomeUnknown": "Read the object back before anything else; never just send again.",
    "DecodeError": "Look at `problems`; report the shape that was met.",
    "ListIncomplete": "Use the rows, conclude nothing from what is not among them; read `windows` again.",
    "InvalidSignature": "Answer 401. If it is the vendor, a secret is missing: give both while one is rotated.",
    "MalformedPayload": "Answer 202 and keep the body.",
    "UnresolvedItems": "Give the SKU or barcode to one item in Whiplash.",
    "LedgerUnavailable": "Answer 503, so that the webhook is sent again. Check the disk or the database.",
    "LeaseLost": "Nothing: the other worker goes on.",
    "IntentExists": "Nothing: what was about to be sent has been sent before.",
}


def error_table() -> str:
    """The tree of errors, with what to do."""

    def walk(kind: type[BaseException], depth: int) -> Iterator[tuple[str, ...]]:
        says = (inspect.getdoc(kind) or "").partition("\n")[0]
        yield f"{'&nbsp;&nbsp;' * depth}`{kind.__name__}`", says, ADVICE.get(kind.__name__, "–")
        for below in kind.__subclasses__():
            if below.__name__ in errors.__all__:
                yield from walk(below, depth + 1)

    return table("Error", "What happened", "What to do", rows=walk(errors.LoopWhiplashError, 0))


# --------------------------------------------------------------------------------------------- methods of clients


def methods(client: type, name: str) -> str:
    """Every method of a client, by resource, as one calls it on the sync client."""
    parts: list[str] = []
    for group, kind in inspect.get_annotations(client, eval_str=True).items():
        parts.append(f"### {name}.{group} {{ #{name}.{group} }}\n\n{inspect.getdoc(kind)}")
        found = {
            key: each
            for base in reversed(kind.__mro__)
            for key, each in vars(base).items()
            if isinstance(each, endpoint | lookup | listing)
        }
        parts += [method(f"{name}.{group}.{key}", each) for key, each in found.items()]
    return "\n\n".join(parts)


def method(called: str, made: Any) -> str:
    """One method: its name, how it is called and what it gives, and its docstring."""
    function = made._function
    parameters = list(inspect.signature(function).parameters.values())[1 if made.takes_session else 0 :]
    head = f"#### {called.rpartition('.')[2]} {{ #{called} }}"
    parameters = [each.replace(annotation=spelled(str(each.annotation), function)) for each in parameters]
    return f"{head}\n\n```python\n{call(called, parameters, given(function))}\n```\n\n" + markdown(
        inspect.getdoc(function) or "", [each.name for each in parameters]
    )


def given(function: Callable[..., Any]) -> str:
    """What a caller of the sync client gets: of a `Call` what it reads, of an async generator an iterator."""
    said = str(inspect.get_annotations(function)["return"])
    read = re.fullmatch(r"(?:Call|AsyncGenerator)\[(.+?)(, None)?\]", said)
    return said if read is None else f"Iterator[{read[1]}]" if read[2] else read[1]


def spelled(annotation: str, function: Callable[..., Any]) -> str:
    """An annotation with the names of this library's own aliases written out."""

    def aliased(name: re.Match[str]) -> str:
        meant = function.__globals__.get(name[0])
        return name[0] if meant is None or isinstance(meant, type) or name[0] in ("Any", "Literal") else str(meant).replace("typing.", "")

    return re.sub(r"\b[A-Z]\w+", aliased, annotation).replace("collections.abc.", "")


def call(called: str, parameters: list[inspect.Parameter], gives: str) -> str:
    """A signature, on one line where it fits a page."""
    words = [f"{each.name}: {each.annotation}" + ("" if each.default is each.empty else f" = {each.default!r}") for each in parameters]
    first = next((number for number, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), len(parameters))
    words[first:first] = ["*"] if first < len(parameters) else []
    line = f"{called}({', '.join(words)}) -> {gives}"
    return line if len(line) <= 90 else f"{called}(\n" + "".join(f"    {each},\n" for each in words) + f") -> {gives}"


# ------------------------------------------------------------------------------------------------------ bar charts


def bars(title: str, body: str) -> str:
    """A bar chart as SVG that needs nothing else: a label above each bar, its number as it was written at its end."""
    rows = [(label.strip(), number.strip()) for label, _, number in (line.partition("=") for line in body.strip().splitlines())]
    most = max(float(number.replace(",", "")) for _, number in rows)
    parts = []
    for place, (label, number) in enumerate(rows):
        top, width = 46 * place, 350 * float(number.replace(",", "")) / most
        parts.append(
            f'<text x="0" y="{top + 14}">{html.escape(label)}</text>'
            f'<rect x="0" y="{top + 19}" width="{width:.1f}" height="14" rx="3" fill="var(--md-accent-fg-color)" opacity="0.75"/>'
            f'<text x="{width + 8:.1f}" y="{top + 31}">{number}</text>'
        )
    said = html.escape(title)
    return (
        f'<figure class="bars" markdown="0"><figcaption>{said}</figcaption><svg viewBox="0 0 430 {46 * len(rows)}" role="img" '
        f'aria-label="{said}" font-family="inherit" font-size="15" fill="currentColor">{"".join(parts)}</svg></figure>'
    )


TABLES: dict[str, Callable[[], str]] = {
    "settings": lambda: fields(Settings),
    "policy": lambda: fields(Policy),
    "breaks": breaks,
    "findings": findings,
    "errors": error_table,
    "loop": lambda: methods(LoopClient, "loop"),
    "whiplash": lambda: methods(WhiplashClient, "whiplash"),
}


def made(name: str) -> str:
    """What stands for ``<!-- table: name -->``: a table in a box that a phone shows as cards, one a row; or the methods of a client."""
    text = TABLES[name]()
    return f'<div class="cards {name}" markdown>\n\n{text}\n\n</div>' if text.startswith("| ") else text


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    markdown = re.sub(r"<!-- table: (\w+) -->", lambda found: made(found[1]), markdown)
    markdown = re.sub(r"<!-- bars: ([^\n]+)\n(.+?)-->", lambda found: bars(found[1].strip(), found[2]), markdown, flags=re.DOTALL)
    return re.sub(r"<!-- (?:setup|check|output|skip|needs)\b.*?-->\n?", "", markdown, flags=re.DOTALL)
