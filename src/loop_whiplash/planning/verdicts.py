"""What is done once the matcher has judged what was counted: rows 13 to 20 of the table."""

from __future__ import annotations

from datetime import timedelta

from loop_whiplash.matching.decision import Decision

from .model import Break, Flag, Plan, Process
from .settings import Settings
from .shapes import FIRST_LOOK, again, broken, day, failed, living, retry_unused
from .situation import Situation

__all__ = ["NOTE_LENGTH", "note_text"]

#: A short receipt is given at most this long by the default policy before it is flagged.
LONGEST_GRACE = timedelta(days=14)
#: Loop's notes hold fewer than 255 characters, else 422.
NOTE_LENGTH = 250

# ----------------------------------------------------------------------------------------------------- rows 13 - 16


def wait(s: Situation) -> Plan:
    deadline = s.decision.deadline
    if deadline is not None and deadline > s.at:
        return living(s, f"The matcher waits until {day(deadline)}.", until=deadline)
    reason = "The matcher waits without a deadline that is still to come."
    return living(s, reason, broken(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=reason))


def unreadable(s: Situation) -> Plan:
    return living(s, "What was counted cannot be read whole; it is never processed on a part.")


def processing_failed(s: Situation) -> Plan:
    return living(s, "Loop did not process it; a person's turn.", failed(s))


def process_from_review(s: Situation) -> Plan:
    return _send_process(s, "Flagged by us, and cured by new evidence since.")


def in_review(s: Situation) -> Plan:
    if s.retry_unused:
        step = "Set the return back to open in Loop, and it is sent once more; or process it there by hand."
        return living(s, "A person allowed one more process, and nothing is sent to a return in review.", retry_unused(s, next_step=step))
    if not s.flagged_by_us:
        return living(s, "In review, and not by us; a person's turn.")
    word = "what we flagged is cured by now; processing it from review is" if s.says_process else "it is"
    return living(s, f"In review after our flag; {word} a person's turn.")


def unknown_state(s: Situation) -> Plan:
    since = s.journal.since.get(f"state:{s.state}") or s.touched_at or s.at
    limit = since + s.settings.confirm_by
    if s.at < limit:
        return living(s, f"Loop says {s.state!r}, which is not a state we know.", until=limit)
    code = "RECEIVED_NOT_ACTIONED" if s.receipts else "MISSING_IN_WMS"
    reason = f"Loop says {s.state!r} since {day(since)}, which is not a state we know; nothing is done in it."
    return living(s, reason, broken(s, code, since=since, reason=reason))


# ----------------------------------------------------------------------------------------------------- rows 17 - 20


def flag_in_doubt(s: Situation) -> Plan:
    flag = s.journal.flag
    if flag.began_at is not None and s.at < flag.began_at + s.settings.confirm_by:
        until = min(again(s, flag.began_at), flag.began_at + s.settings.confirm_by)
        reason = f"A flag was sent; the answer: {flag.reason}; its effect has not been seen."
        answered = [broken(s, "ACTION_UNCONFIRMED", since=flag.began_at, reason=reason)] if flag.reason else []
        return living(s, "A flag was sent; its effect is looked for.", *answered, until=until)
    reason = f"A flag was sent; the return has not been seen in review within {s.settings.confirm_by}."
    return living(s, "A person's turn.", broken(s, "ACTION_UNCONFIRMED", since=flag.began_at, reason=reason))


def flag_refused(s: Situation) -> Plan:
    flag = s.journal.flag
    reason = f"Loop refused the flag: {flag.reason or 'no reason given'}"
    return living(s, reason, broken(s, "RECEIVED_NOT_ACTIONED", since=flag.settled_at or s.counted_at, reason=reason))


def flagged_before(s: Situation) -> Plan:
    reason = "All that is wrong was flagged before, and a person took the flag away; it is not flagged again."
    return living(s, reason, _not_actioned(s, reason))


def _not_actioned(s: Situation, reason: str) -> Break:
    return broken(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=reason)


def flag(s: Situation) -> Plan:
    action = Flag(evidence=s.decision.evidence, keys=s.keys, note=note_text(s.settings, s.decision) if s.settings.notes else "")
    return _send(s, f"Flag: {_headline(s.decision)}", action, LONGEST_GRACE + s.settings.confirm_by)


def _headline(decision: Decision) -> str:
    blocking = [finding for finding in decision.findings if finding.blocking]
    return blocking[0].message or blocking[0].code if blocking else "the matcher says so."


def note_text(settings: Settings, decision: Decision) -> str:
    """The note that goes before a flag: our marker, which evidence, what is wrong; at most `NOTE_LENGTH` characters."""
    evidence = f" {decision.evidence[:8]}" if decision.evidence else ""
    text = decision.note(prefix=f"{settings.note_prefix}{evidence}: ")
    return text if len(text) <= NOTE_LENGTH else text[: NOTE_LENGTH - 1] + "…"


def same_evidence(s: Situation) -> Plan:
    reason = "The verdict is PROCESS by now, on the same evidence that we flagged; that is for a person to process."
    return living(s, reason, _not_actioned(s, reason))


def process_after_flag(s: Situation) -> Plan:
    return _send_process(s, "A person took our flag away, and new evidence cured it.")


def released_already(s: Situation) -> Plan:
    reason = "Loop has released value for it already; it is never processed a second time."
    return living(s, reason, _not_actioned(s, reason))


def sent_already(s: Situation) -> Plan:
    reason = "A process of ours was sent and settled, and the return is open again; it is never processed a second time by itself."
    return living(s, reason, _not_actioned(s, reason))


def process(s: Situation) -> Plan:
    return _send_process(s, "What was counted agrees with what was expected.")


def _send_process(s: Situation, reason: str) -> Plan:
    return _send(s, reason, Process(evidence=s.decision.evidence), s.settings.confirm_by)


def _send(s: Situation, reason: str, action: Process | Flag, within: timedelta) -> Plan:
    """Act; and say so where the goods have been there for long, so that what can never be sent does not stay unseen."""
    until = s.at + FIRST_LOOK
    if s.last_counted_at is None or s.at < s.last_counted_at + within:
        return living(s, reason, until=until, action=action)
    overdue = f"Counted by {day(s.last_counted_at)}, and not acted on yet."
    return living(s, reason, broken(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=overdue, heals=True), until=until, action=action)


def nothing_to_do(s: Situation) -> Plan:
    reason = "The matcher says that nothing is to be done, and the return is still open."
    return living(s, reason, _not_actioned(s, reason))
