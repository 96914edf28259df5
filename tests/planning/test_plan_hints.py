"""A hint is never obeyed: which one came, in what order and how often makes no difference to the plan."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from planning_stories import DAY, HOUR, NOW, announced, counted, evolve, flagged, judge, made, planned, rma, says, sending, sent

from loop_whiplash.ledger.protocol import Event
from loop_whiplash.planning import Journal, Observation, fold, learn

HINTS = st.sampled_from(["loop.hint", "whiplash.hint", "sweep.hint", "sweep.hint/both", "step.acted", "unreadable"])
WORLDS = st.sampled_from(
    [
        (rma(), ()),
        (rma(label_statuses=("new",)), ()),
        (rma(), (announced(),)),
        (rma(), (counted(),)),
        (rma(), (counted(received_at=None),)),
        (rma(state="review"), (counted(),)),
        (rma(state="cancelled"), (announced(),)),
        (None, ()),
    ]
)
JOURNALS = st.sampled_from(
    [
        Journal(),
        Journal(create=made()),
        Journal(create=sending()),
        Journal(process=sent()),
        flagged("cleared"),
        Journal(held_by="Ann", held_at=NOW),
    ]
)


def event(hint: str, minutes: int) -> Event:
    kind, _, side = hint.partition("/")
    body = json.dumps({"side": side}).encode() if side else b"whatever came"
    return Event(kind=kind, return_id=7, at=NOW - HOUR, body=body, seq=minutes)


@settings(max_examples=300, deadline=None)
@given(st.lists(HINTS, min_size=1, max_size=8), st.randoms(use_true_random=False), WORLDS, JOURNALS)
def test_order_and_repetition_of_hints_do_not_matter(hints: list[str], dice: object, world: object, journal: Journal) -> None:
    ret, receipts = world  # type: ignore[misc]
    observation = Observation(return_id=7, rma=ret, receipts=receipts)
    events = [event(hint, n) for n, hint in enumerate(hints)]
    turned = [*events, *events]
    dice.shuffle(turned)  # type: ignore[attr-defined]
    plans = []
    for said in (events, turned):
        after = journal
        for each in said:
            after = fold(after, each)
        after = learn(after, observation, at=NOW)
        plans.append(planned(ret, *receipts, journal=after, decision=says("PROCESS")))
    assert plans[0] == plans[1]


@settings(max_examples=200, deadline=None)
@given(st.permutations(["hold", "acknowledge", "attach", "attach2"]), JOURNALS)
def test_words_about_different_things_come_in_any_order(words: list[str], journal: Journal) -> None:
    bodies = {
        "hold": ("person.hold", {"by": "Ann"}),
        "acknowledge": ("person.acknowledge", {"code": "REVIEW_STALE", "until": (NOW + DAY).isoformat(), "by": "Ann"}),
        "attach": ("person.attach", {"consumer_return_id": 5}),
        "attach2": ("person.attach", {"consumer_return_id": 6}),
    }

    def heard(order: list[str]) -> Journal:
        after = journal
        for word in order:
            kind, said = bodies[word]
            after = fold(after, Event(kind=kind, return_id=7, at=NOW, body=json.dumps(said).encode()))
        return after

    assert heard(words) == heard(sorted(words)) == heard([*words, *words])


def test_planning_twice_says_the_same() -> None:
    for verdict in ("PROCESS", "FLAG", "WAIT", "NO_ACTION"):
        first, second = (planned(rma(), counted(), decision=says(verdict)) for _ in range(2))
        assert first == second
        assert hash(first.next_check_at) == hash(second.next_check_at)


def test_an_hour_that_shows_nothing_new_changes_no_decision() -> None:
    observation = Observation(return_id=7, rma=rma(), receipts=(counted(received_at=None),))
    early = learn(Journal(), observation, at=NOW)
    late = learn(learn(early, observation, at=NOW + HOUR), observation, at=NOW + DAY)
    assert late == evolve(early, create=late.create)
    assert judge("PROCESS") is not None
