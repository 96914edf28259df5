"""Text from outside, made fit to be shown: no control characters, and no e-mails or links unless they are asked for.

Order names, tracking numbers, refusals and titles are typed by shoppers, merchants and warehouse staff. A terminal obeys
escape sequences and a browser obeys bidirectional overrides; neither reaches a reader from here.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable

__all__ = ["kind_of", "meant", "raised", "shown"]

# C0 and C1 controls, line and paragraph separators, bidirectional overrides and isolates, zero-width characters, lone surrogates.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_EMAIL = re.compile(r"[^\s@<>(),;:\"']{1,64}@[^\s@<>(),;:\"']{1,255}\.[^\s@<>(),;:\"'.]{2,63}")
_LINK = re.compile(r"\b(?:https?|ftp|mailto|javascript|data):\S+", re.IGNORECASE)


def shown(text: str | None, *, personal: bool = False) -> str:
    """The text on one line, e-mails and links left out unless `personal`; ``""`` for None.

    >>> shown("ask ann@example.org\\nor see https://x.example/return/1")
    'ask [e-mail] or see [link]'
    """
    if not text:
        return ""
    text = _UNSEEN.sub(" ", text)
    if not personal:
        if "@" in text:
            text = _EMAIL.sub("[e-mail]", text)
        if ":" in text:
            text = _LINK.sub("[link]", text)
    return text.strip()


def kind_of(value: object) -> str:
    """What somebody gave, for a message that says it will not do: its kind and never its content, which may be a secret.

    >>> kind_of(None), kind_of("key"), kind_of({}), kind_of(dict)
    ('None', 'a str', 'a dict', 'the class dict')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def raised(error: BaseException) -> str:
    """What was raised and where, for a log: each class of the chain, the cause first, with its files, lines and functions.

    Never a message: one that we did not write may quote whatever the code had in its hands, a shopper's address too.

    >>> try:
    ...     int("ann@example.org")
    ... except ValueError as error:
    ...     raised(error).startswith("ValueError at "), "ann" in raised(error)
    (True, False)
    """
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "; then ".join(f"{type(one).__name__} at {_places(one)}" for one in reversed(chain))


def _places(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__, limit=-12)
    return " > ".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames) or "no known place"


def meant(name: object, known: Iterable[str]) -> str:
    """What somebody may have meant by a name that is none of the known ones, in brackets; ``""`` where nothing is near.

    >>> meant("under_unit", ["under_units", "over_units"]), meant("colour", ["mode"])
    (" (did you mean 'under_units'?)", '')
    """
    from difflib import get_close_matches

    near = get_close_matches(str(name), known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""
