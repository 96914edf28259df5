"""What the matcher answers: a `Decision`, its `Finding`s and `Pair`s.

A `Decision` of `match` computes its pairs and its two hashes when they are first read, from what it was decided on:
values that cannot change. It is the same plain frozen value either way: it compares, hashes, pickles and evolves as if
everything had been there from the start.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from loop_whiplash.returns.model import Receipt, Rma

    from .policy import Policy

__all__ = ["Decision", "Finding", "Matcher", "Pair", "Verdict"]


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


class Verdict(enum.StrEnum):
    """What should happen to the return. ``FLAG < WAIT < PROCESS`` in permissiveness.

    ``PROCESS``: pay. ``FLAG``: a person must look. ``WAIT``: until the decision's `deadline`, for more parcels, more counting
    or a grade. ``NO_ACTION``: the return is closed, cancelled or processed, or nothing of it is to come here. Each is its own text.
    """

    PROCESS = "PROCESS"
    FLAG = "FLAG"
    WAIT = "WAIT"
    NO_ACTION = "NO_ACTION"


@attrs.frozen(kw_only=True)
class Finding:
    """One thing the matcher noticed.

    Attributes:
        code: stable code, e.g. ``SHORT``. blocking: it keeps the return from PROCESS.
        curable: more receipts may settle it (so it waits); otherwise it is final.
        message: a sentence. units: the expected line ids and received unit ids concerned.
        identifier: the identifier concerned, e.g. ``sku:SHOE-42``. ordinal: 0, 1, … among findings of equal code and identifier.
        rule, setting: which rule and which policy setting spoke.
        until: when a curable finding stops being curable; None for one that is final, or that never ends.
    """

    code: str
    curable: bool = False
    blocking: bool = True
    message: str = ""
    units: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    identifier: str | None = None
    ordinal: int = 0
    rule: str | None = None
    setting: str | None = None
    until: datetime | None = None

    @property
    def key(self) -> str:
        """What is remembered once it was flagged: code, identifier and ordinal; nothing of policy or version."""
        return f"{self.code}|{self.identifier or ''}|{self.ordinal}"


@attrs.frozen(kw_only=True)
class Pair:
    """An expected unit and the received unit that settles it, by the strongest identifier both carry.

    `identifier` is the kind and the value, e.g. ``sku:SHOE-42``; ``bundle:KIT`` for a full set, of which `also` holds
    the further units; ``substitute:…`` for one the policy accepts instead.
    """

    line_id: str
    received_id: str
    identifier: str
    also: tuple[str, ...] = attrs.field(default=(), converter=_texts)


LateFields = tuple[tuple[Pair, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...], str, str, int, str, str]
"""The fields of a `Decision` that are computed late, in the order of `_LATE`."""
_LATE = ("pairs", "unpaired_expected", "unpaired_received", "left_out", "evidence", "fingerprint", "return_id", "policy", "rules")


@attrs.frozen(kw_only=True)
class Decision:
    """A plain frozen value; `attrs.evolve` works on it.

    Every expected and every received unit stands exactly once in `pairs`, `unpaired_expected`, `unpaired_received`
    and `left_out` together.

    Attributes:
        verdict: what should happen. findings: worst first, in a stable order.
        deadline: for a WAIT, when it ends on the same facts (aware, UTC); turns_into: the verdict it becomes then.
        pairs: who settles whom, in canonical order of the lines.
        unpaired_expected, unpaired_received: line ids, and received unit ids, without a partner. left_out: line ids not judged.
        evidence: hash of identifiers, conditions and counts of both sides, and finality; nothing else.
        fingerprint: hash of evidence, policy and version of the rules; equal fingerprints at equal times mean equal decisions.
        return_id: Loop's. policy: name of the policy that judged. rules: version of the rules.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = attrs.field(default=(), converter=tuple)
    pairs: tuple[Pair, ...] = attrs.field(default=(), converter=tuple)
    deadline: datetime | None = None
    turns_into: Verdict | None = None
    evidence: str = ""
    fingerprint: str = ""
    return_id: int | None = None
    policy: str | None = None
    rules: str | None = None
    unpaired_expected: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    unpaired_received: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    left_out: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    _late: Any = attrs.field(init=False, eq=False, repr=False)

    @property
    def headline(self) -> str:
        """The decision in one line of at most 160 characters, without personal data."""
        from .explanation import headline

        return headline(self)

    @property
    def counterfactual(self) -> str | None:
        """What would lead to PROCESS, e.g. ``processes if 1 × SKU-A arrives by 2026-12-12 10:00 UTC``; None where nothing simple would."""
        from .explanation import counterfactual

        return counterfactual(self)

    def note(self, *, prefix: str = "") -> str:
        """A note for Loop: the headline and what is behind it, `prefix` first; at most 250 characters, no personal data."""
        from .explanation import note

        return note(self, prefix)

    def explain(self) -> str:
        """The whole decision as text that can be pasted into a ticket: each finding, each unit, and what would change it."""
        from .explanation import explain

        return explain(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `from_dict` reads it back to an equal value."""
        from .loading import decision_to_dict

        return decision_to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """What `to_dict` gave.

        Raises:
            ConfigurationError: it is not of that shape; the message has the path of what is wrong.
        """
        from .loading import decision_from_dict

        return decision_from_dict(data)

    # ---------------------------------------------------------------------------------------- what is computed late

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only reached for a slot that is empty.
            if name not in _LATE_PLACE:
                if name == "_late":
                    return None
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            function, facts = object.__getattribute__(self, "_late")
            values = function(*facts)
            for put, value in zip(_PUT_LATE, values, strict=True):
                put(self, value)
            return values[_LATE_PLACE[name]]

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STORED}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


_STORED = tuple(field.name for field in attrs.fields(Decision) if field.init)
_new = object.__new__
_LATE_PLACE = {name: place for place, name in enumerate(_LATE)}
_PUT_LATE = tuple([Decision.__dict__[name].__set__ for name in _LATE])
_put_verdict, _put_findings, _put_deadline, _put_turns_into, _put_late = (
    Decision.__dict__[name].__set__ for name in ("verdict", "findings", "deadline", "turns_into", "_late")
)


def decide(
    verdict: Verdict,
    findings: tuple[Finding, ...],
    deadline: datetime | None,
    turns_into: Verdict | None,
    late: Callable[..., LateFields],
    facts: tuple[Any, ...],
) -> Decision:
    """A decision whose other fields are `late(*facts)`, called when one of them is first read. `facts` must be immutable values."""
    decision: Decision = _new(Decision)  # the slots of _LATE stay empty until read
    _put_verdict(decision, verdict)
    _put_findings(decision, findings)
    _put_deadline(decision, deadline)
    _put_turns_into(decision, turns_into)
    _put_late(decision, (late, facts))
    return decision


_put_line_id, _put_received_id, _put_identifier, _put_also = (
    Pair.__dict__[name].__set__ for name in ("line_id", "received_id", "identifier", "also")
)


def make_pair(line_id: str, received_id: str, identifier: str, also: tuple[str, ...] = ()) -> Pair:
    """A `Pair`, without going through its converters."""
    pair: Pair = _new(Pair)
    _put_line_id(pair, line_id)
    _put_received_id(pair, received_id)
    _put_identifier(pair, identifier)
    _put_also(pair, also)
    return pair


class Matcher(Protocol):
    """Any callable of this shape plugs in where `match` does: ``matcher(rma, receipts, policy=…, at=…)`` gives a `Decision`.

    It must be pure: equal arguments, equal decisions. `receipts` may be empty, in any order, and hold two versions of one;
    `at` is aware, in UTC. A decision needs its `verdict`; a WAIT its `deadline`; `evidence`, a hash of what was expected and
    counted, is what tells a flag that was cured from one that was not; `findings` are what a flag says and remembers.
    """

    def __call__(self, rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision: ...
