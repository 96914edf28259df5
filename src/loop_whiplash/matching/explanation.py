"""A decision in words, made from its plain fields alone: the same text for one that was stored and read back.

Nothing of the shopper stands in any of them: findings carry identifiers, ids, amounts and times, never titles or names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from .codes import CODES
from .decision import Decision, Finding, Verdict

__all__ = ["NOTE_LENGTH", "counterfactual", "explain", "headline", "note"]

NOTE_LENGTH = 250
"""Loop refuses notes of 255 characters and more."""
_HEADLINE_LENGTH = 160
_NAME_LENGTH = 40
_NAMES_SHOWN = 3

# What would have to be otherwise, by code: before and after the names of the units.
_IF: dict[str, tuple[str, str]] = {
    "SHORT": ("", " arrives"),
    "OVER": ("", " is taken out of the count"),
    "UNEXPECTED": ("", " is taken out of the count"),
    "WRONG_LINE_OF_ORDER": ("", " is taken out of the count"),
    "CONDITION_BELOW_MIN": ("", " is accepted as it is"),
    "CONDITION_UNKNOWN": ("", " is graded good"),
    "SUBSTITUTED_VARIANT": ("", " is accepted"),
}


def plain(text: str, limit: int) -> str:
    """One line of printable text, cut at a word where it can be.

    >>> plain("one two three", 10), plain("one two three", 8), plain("a\\nb", 8)
    ('one two…', 'one two…', 'a b')
    """
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    words = kept if text[limit - 1] == " " else kept.rpartition(" ")[0]
    return (words if 2 * len(words) > limit else kept).rstrip(" ,;:(") + "…"


def name(identifier: str | None) -> str:
    """``sku:SHOE-42`` reads ``SHOE-42``; other kinds are said."""
    if identifier is None:
        return "unidentified"
    return " for ".join([plain(part.removeprefix("sku:").replace(":", " ", 1), _NAME_LENGTH) for part in identifier.split(" for ")])


def names(findings: Iterable[Finding]) -> str:
    """``2 × SHOE-42, 1 × MUG``."""
    counted = Counter(name(finding.identifier) for finding in findings)
    shown = [f"{count} × {what}" for what, count in list(counted.items())[:_NAMES_SHOWN]]
    more = len(counted) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def day(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _speaking(decision: Decision) -> list[Finding]:
    """The findings that made the verdict."""
    blocking = [finding for finding in decision.findings if finding.blocking]
    final = [finding for finding in blocking if not finding.curable]
    return final if decision.verdict is Verdict.FLAG and final else blocking


def _by_code(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    return groups


def what_is_wrong(decision: Decision) -> str:
    """The blocking findings in a line, e.g. ``Wrong item: 1 × MUG-BLUE instead of 1 × MUG-RED``."""
    groups = _by_code(_speaking(decision))
    missing = [finding for finding in decision.findings if finding.blocking and finding.code == "SHORT"]
    strange = groups.get("UNEXPECTED")
    parts = []
    if strange and len(missing) == len(strange):
        parts.append(f"Wrong item: {names(strange)} instead of {names(missing)}")
        groups.pop("UNEXPECTED")
        groups.pop("SHORT", None)
    for code, findings in groups.items():
        said = CODES[code].said if code in CODES else code.replace("_", " ").capitalize()
        if code == "NOTHING_COUNTED":
            parts.append(f"{said}: {len(findings[0].units)} unit{'' if len(findings[0].units) == 1 else 's'} expected")
        elif code == "UNKNOWN_ITEM":
            parts.append(f"{said}: {len(findings)} unit{'' if len(findings) == 1 else 's'}")
        elif all(finding.identifier is None for finding in findings):
            parts.append(said)
        else:
            parts.append(
                f"{said}: {names(findings)}"
                if code in _IF
                else f"{said} ({', '.join(dict.fromkeys(name(f.identifier) for f in findings))})"
            )
    return "; ".join(parts)


def headline(decision: Decision) -> str:
    if decision.verdict is Verdict.PROCESS:
        settled, expected = len(decision.pairs), len(decision.pairs) + len(decision.unpaired_expected)
        beside = "" if settled == expected and not decision.unpaired_received else "; the rest is within tolerance"
        text = f"{settled} of {expected} expected unit{'' if expected == 1 else 's'} counted{beside}"
    elif decision.verdict is Verdict.NO_ACTION:
        text = decision.findings[0].message.rstrip(".") if decision.findings else "Nothing to do"
    else:
        text = what_is_wrong(decision) or "No finding says why"
        if decision.verdict is Verdict.WAIT and decision.deadline is not None:
            then = decision.turns_into.value if decision.turns_into else "FLAG"
            text = f"{plain(text, _HEADLINE_LENGTH - 48)}; waits until {day(decision.deadline)}, then {then}"
    return plain(text, _HEADLINE_LENGTH)


def counterfactual(decision: Decision) -> str | None:
    if decision.verdict not in (Verdict.FLAG, Verdict.WAIT):
        return None
    parts = []
    for code, findings in _by_code(finding for finding in decision.findings if finding.blocking).items():
        if code in _IF:
            before, after = _IF[code]
            parts.append(f"{before}{names(findings)}{after}")
        elif code == "NOTHING_COUNTED":
            parts.append(
                f"{'all ' if len(findings[0].units) > 1 else ''}{len(findings[0].units)} expected arrive".replace(
                    "1 expected arrive", "the one expected unit arrives"
                )
            )
        elif code == "RECEIPT_NOT_FINAL":
            parts.append("counting ends")
        elif code != "SETTLING":
            return None
    if not parts:
        return f"processes at {day(decision.deadline)} if nothing changes" if decision.deadline else None
    by = f" by {day(decision.deadline)}" if decision.verdict is Verdict.WAIT and decision.deadline else ""
    return plain(f"processes if {' and '.join(parts)}{by}", 400)


def note(decision: Decision, prefix: str) -> str:
    parts = [headline(decision).rstrip(".")]
    # What a vendor wrote into a problem is not ours to publish.
    messages = [finding.message for finding in _speaking(decision) if finding.code != "INVALID_RECEIPT"]
    parts += dict.fromkeys(message.rstrip(".") for message in messages if message)
    return plain(f"{prefix} {'. '.join(parts)}.", NOTE_LENGTH)


def explain(decision: Decision) -> str:
    about = f"return {decision.return_id}" if decision.return_id is not None else "return"
    lines = [f"{decision.verdict.value} {about}: {headline(decision)}"]
    for title, findings in (
        ("Final", [finding for finding in decision.findings if finding.blocking and not finding.curable]),
        ("May still be settled", [finding for finding in decision.findings if finding.blocking and finding.curable]),
        ("Noted", [finding for finding in decision.findings if not finding.blocking]),
    ):
        if findings:
            lines.append(f"{title}:")
            lines += [f"  {finding.code}: {plain(finding.message, 300)}{_source(finding)}" for finding in findings]
    if decision.pairs:
        lines.append("Settled:")
        lines += [
            f"  line {pair.line_id} by unit {', '.join((pair.received_id, *pair.also))} on {plain(pair.identifier, 80)}"
            for pair in decision.pairs
        ]
    for title, ids in (
        ("Expected, not settled", decision.unpaired_expected),
        ("Counted, not expected", decision.unpaired_received),
        ("Left out", decision.left_out),
    ):
        if ids:
            lines.append(f"{title}: {', '.join(ids)}")
    if decision.deadline is not None:
        lines.append(f"Waits until {day(decision.deadline)}, then {decision.turns_into.value if decision.turns_into else 'FLAG'}.")
    other = counterfactual(decision)
    if other:
        lines.append(f"It {other}.")
    if decision.policy is not None:
        hashes = f"evidence {decision.evidence[:12]}, fingerprint {decision.fingerprint[:12]}"
        lines.append(f"Policy {decision.policy!r}, rules {decision.rules}, {hashes}.")
    return "\n".join(lines)


def _source(finding: Finding) -> str:
    said = " ".join(filter(None, (finding.rule and f"rule {finding.rule}", finding.setting and f"setting {finding.setting}")))
    return f" [{said}]" if said else ""
