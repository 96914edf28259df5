# ruff: noqa: F401 - a fixture is imported by its name
"""What every ledger does, whatever it keeps its rows in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import attrs
import pytest
from benches import BENCHES, LEASE, START, Bench, at, bench_for, hint

from loop_whiplash import ConfigurationError, IntentExists, LeaseLost, LedgerUnavailable
from loop_whiplash.ledger import Event, Intent
from postgres_server import postgres

CREATE = Intent(kind="create", ordinal=1, at=START, evidence="e1")


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from bench_for(request)


# ---------------------------------------------------------------------------------------------------- events come in


def test_an_event_makes_its_return_due_and_is_kept_as_it_came(bench: Bench) -> None:
    bench.ledger.accept(hint(7, b"\x00raw\xff", minutes=1), due_at=at(5))

    case = bench.ledger.case(7)
    assert case is not None
    assert (case.due_at, case.leased, case.journal, case.summary) == (at(5), False, {}, {})
    assert case.created_at == case.updated_at == at(1)
    (event,) = bench.ledger.history(7)
    assert (event.kind, event.return_id, event.at, event.body) == ("loop.hint", 7, at(1), b"\x00raw\xff")
    assert (event.source, event.count) == ("return return.updated", 1)
    assert event.seq > 0
    assert bench.ledger.unread(7) == [event]


def test_a_return_is_due_at_the_earliest_time_asked_for(bench: Bench) -> None:
    for minutes in (30, 10, 20):
        bench.ledger.accept(hint(7, b"%d" % minutes), due_at=at(minutes))
    bench.ledger.accept(hint(7, b"no time"), due_at=None)

    assert bench.ledger.case(7).due_at == at(10)


def test_an_event_without_a_due_time_wakes_nobody(bench: Bench) -> None:
    bench.ledger.accept(hint(7), due_at=None)

    assert bench.ledger.case(7).due_at is None
    assert bench.ledger.claim_due(at=at(10**6), limit=10, lease=LEASE) == []


def test_times_in_other_zones_are_the_same_times(bench: Bench) -> None:
    there = timezone(timedelta(hours=-7))
    bench.ledger.accept(Event(kind="k", return_id=7, at=at(1).astimezone(there)), due_at=at(2).astimezone(there))

    case = bench.ledger.case(7)
    assert case.due_at == at(2)
    assert case.due_at.utcoffset() == timedelta(0)
    assert bench.ledger.history(7)[0].at == at(1)


def test_microseconds_are_kept(bench: Bench) -> None:
    moment = datetime(2031, 12, 31, 23, 59, 59, 999_999, tzinfo=START.tzinfo)
    bench.ledger.accept(Event(kind="k", return_id=7, at=moment), due_at=moment)

    assert bench.ledger.case(7).due_at == moment
    assert bench.ledger.claim_due(at=moment - timedelta(microseconds=1), limit=1, lease=LEASE) == []
    assert len(bench.ledger.claim_due(at=moment, limit=1, lease=LEASE)) == 1


def waiting(bench: Bench, return_id: int | None) -> list[Event]:
    return bench.ledger.unread(return_id) if return_id else bench.ledger.asides()[::-1]


@pytest.mark.parametrize("return_id", [7, None])
@pytest.mark.parametrize("looks", [True, False], ids=["looked at between", "all before a look"])
def test_a_repeated_event_is_counted_while_it_is_unread(bench: Bench, return_id: int | None, looks: bool) -> None:
    seen: list[int] = []
    for body, minutes in ((b"same", 0), (b"other", 0), (b"same", 3)):
        bench.ledger.accept(hint(return_id, body, minutes=minutes), due_at=None)
        if looks:
            seen.append(waiting(bench, return_id)[-1].seq)

    kept = waiting(bench, return_id)
    assert [(event.body, event.count) for event in kept] == [(b"other", 1), (b"same", 2)]
    assert kept[1].at == at(3)
    assert [event.seq for event in kept] == (seen[1:] if looks else sorted(event.seq for event in kept))
    assert seen == sorted(set(seen))  # what was moved to the end has a new number


def test_events_that_differ_in_kind_body_or_return_are_not_the_same(bench: Bench) -> None:
    for event in (hint(7, b"x"), hint(7, b"y"), hint(7, b"x", kind="whiplash.hint"), hint(8, b"x"), hint(None, b"x")):
        bench.ledger.accept(event, due_at=None)

    assert [event.count for event in (*bench.ledger.history(7), *bench.ledger.history(8), *bench.ledger.asides())] == [1] * 5


def test_the_last_of_three_words_is_the_last(bench: Bench) -> None:
    for word in ("hold", "release", "hold"):
        bench.ledger.accept(Event(kind=f"person.{word}", return_id=7, at=START, body=b'{"by":"ann"}'), due_at=START)

    assert [event.kind for event in bench.ledger.unread(7)] == ["person.release", "person.hold"]


def test_an_event_that_was_read_is_stored_anew_when_it_comes_again(bench: Bench) -> None:
    bench.done(bench.claimed())
    bench.ledger.accept(hint(), due_at=at(1))

    assert [event.count for event in bench.ledger.history(7)] == [1, 1]
    assert len(bench.ledger.unread(7)) == 1
    assert bench.ledger.case(7).due_at == at(1)


def test_many_events_are_accepted_as_one_by_one(bench: Bench) -> None:
    given = [(hint(9, b"a"), at(1)), (hint(None, b"b"), None), (hint(8, b"a"), at(2)), (hint(9, b"a"), at(0)), (hint(9, b"c"), None)]

    assert bench.ledger.accept_many(iter(given)) == 5
    assert [(event.body, event.count) for event in bench.ledger.history(9)] == [(b"a", 2), (b"c", 1)]
    assert bench.ledger.case(9).due_at == at(0)
    assert bench.ledger.case(8).due_at == at(2)
    assert len(bench.ledger.asides()) == 1
    assert bench.ledger.accept_many([]) == 0


def test_many_events_are_stored_together_or_not_at_all(bench: Bench) -> None:
    with pytest.raises(ConfigurationError):
        bench.ledger.accept_many([(hint(7), at(1)), (hint(-1), at(1))])

    assert bench.ledger.case(7) is None


def test_text_that_some_storage_cannot_hold_is_made_plain(bench: Bench) -> None:
    bench.ledger.accept(Event(kind="a\x00b", return_id=7, at=START, source="c\ud800d \x00é😀"), due_at=START)
    bench.ledger.put("k\x00", "v\x00\udfff")

    (event,) = bench.ledger.history(7)
    assert (event.kind, event.source) == ("a\ufffdb", "c\ufffdd \ufffdé😀")
    assert bench.ledger.get("k\x00") == "v\ufffd\ufffd"
    claim = bench.ledger.claim(7, at=START, lease=LEASE)
    bench.done(claim, journal={"poison": "\x00\ud800"}, summary={"reasons": ["\x00\udfff"]})
    assert bench.ledger.case(7).journal == {"poison": "\x00\ud800"}
    assert bench.ledger.case(7).summary == {"reasons": ["\x00\udfff"]}


# ---------------------------------------------------------------------------------------------------- claims


def test_the_longest_due_comes_first_and_what_is_not_due_does_not_come(bench: Bench) -> None:
    for return_id, minutes in ((1, 30), (2, 10), (3, 20), (4, 41), (5, 10)):
        bench.ledger.accept(hint(return_id), due_at=at(minutes))

    assert [claim.return_id for claim in bench.ledger.claim_due(at=at(40), limit=3, lease=LEASE)] == [2, 5, 3]
    assert [claim.return_id for claim in bench.ledger.claim_due(at=at(40), limit=3, lease=LEASE)] == [1]
    assert bench.ledger.claim_due(at=at(40), limit=3, lease=LEASE) == []
    assert bench.ledger.claim_due(at=at(41), limit=0, lease=LEASE) == []


def test_a_claim_has_what_is_remembered_and_what_came_in_since(bench: Bench) -> None:
    first = bench.claimed()
    assert (first.is_new, first.journal, [event.body for event in first.unread]) == (True, {}, [b"{}"])
    bench.done(first, journal={"phase": "done", "text": "é"}, due_at=at(5))
    bench.ledger.accept_many([(hint(7, b"one"), None), (hint(8, b"not mine"), None), (hint(7, b"two"), None)])

    (second,) = bench.ledger.claim_due(at=at(5), limit=5, lease=LEASE)

    assert (second.return_id, second.is_new, second.journal) == (7, False, {"phase": "done", "text": "é"})
    assert [event.body for event in second.unread] == [b"one", b"two"]
    assert second.fence > first.fence


def test_a_lease_goes_by_the_ledgers_clock(bench: Bench) -> None:
    before = bench.ledger.now()
    claim = bench.claimed(minutes=-(10**6))
    after = bench.ledger.now()

    assert before + LEASE <= claim.lease_until <= after + LEASE
    assert claim.lease_until.utcoffset() == timedelta(0)


def test_one_return_is_claimed_whether_due_or_not_or_never_met(bench: Bench) -> None:
    bench.ledger.accept(hint(7), due_at=at(10**6))
    due_later, never_met = bench.ledger.claim(7, at=START, lease=LEASE), bench.ledger.claim(8, at=START, lease=LEASE)

    assert due_later is not None
    assert len(due_later.unread) == 1
    assert never_met is not None
    assert never_met.is_new
    assert never_met.unread == ()
    assert bench.ledger.case(8).leased


def test_a_return_another_worker_has_is_left_to_it(bench: Bench) -> None:
    bench.ledger.accept(hint(7), due_at=at(30))
    held = bench.ledger.claim(7, at=at(30), lease=LEASE)

    assert bench.ledger.claim(7, at=at(0), lease=LEASE) is None
    assert bench.ledger.claim_due(at=at(99), limit=9, lease=LEASE) == []
    assert bench.ledger.case(7).due_at == at(30)  # the claim that failed has changed nothing
    bench.done(held)


@pytest.mark.parametrize("how", ["claim", "claim_due"])
def test_a_return_whose_worker_died_is_claimed_again_with_a_higher_fence(bench: Bench, how: str) -> None:
    dead = bench.claimed()
    bench.pass_time(LEASE)

    assert not bench.ledger.case(7).leased
    if how == "claim":
        heir = bench.ledger.claim(7, at=at(1), lease=LEASE)
    else:
        (heir,) = bench.ledger.claim_due(at=at(1), limit=1, lease=LEASE)
    assert heir.fence > dead.fence
    assert heir.token != dead.token
    assert heir.unread == dead.unread


def test_a_settled_return_whose_worker_died_is_due(bench: Bench) -> None:
    bench.done(bench.claimed())
    assert bench.ledger.claim(7, at=at(3), lease=LEASE) is not None
    bench.pass_time(LEASE)

    assert [claim.return_id for claim in bench.ledger.claim_due(at=at(3), limit=1, lease=LEASE)] == [7]


def test_a_lease_that_is_not_over_yet_holds(bench: Bench) -> None:
    bench.claimed()
    bench.pass_time(LEASE - timedelta(seconds=30))

    assert bench.ledger.claim_due(at=at(10**6), limit=1, lease=LEASE) == []
    assert bench.ledger.claim(7, at=START, lease=LEASE) is None


# ---------------------------------------------------------------------------------------------------- fenced writes


def test_a_commit_writes_the_journal_and_keeps_the_lease(bench: Bench) -> None:
    claim = bench.claimed()
    step = Event(kind="step.create", return_id=7, at=at(1), body=b"s", source="e1")

    assert bench.ledger.commit(claim, journal={"phase": "sending"}, read_to=claim.unread[-1].seq, intent=CREATE, events=iter([step]))

    case = bench.ledger.case(7)
    assert (case.journal, case.leased) == ({"phase": "sending"}, True)
    assert [event.kind for event in bench.ledger.history(7)] == ["loop.hint", "step.create"]
    assert bench.ledger.unread(7) == []
    bench.done(claim)


def test_no_action_is_allowed_over_the_head_of_an_event(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.commit(claim, journal={"phase": "before"}, intent=None)
    bench.ledger.accept(Event(kind="person.hold", return_id=7, at=at(1)), due_at=at(1))

    assert not bench.ledger.commit(
        claim, journal={"phase": "sending"}, read_to=claim.unread[-1].seq, intent=CREATE, withdraw=CREATE, events=[hint(7, b"step")]
    )

    assert bench.ledger.case(7).journal == {"phase": "before"}
    assert [event.kind for event in bench.ledger.unread(7)] == ["loop.hint", "person.hold"]
    assert len(bench.ledger.history(7)) == 2
    assert bench.ledger.commit(claim, journal={}, read_to=bench.ledger.unread(7)[-1].seq, intent=CREATE)


def test_the_same_hint_again_is_something_that_came_in(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.accept(hint(7, minutes=1), due_at=at(1))

    assert not bench.ledger.commit(claim, journal={}, read_to=claim.unread[-1].seq, intent=CREATE)
    bench.done(claim, minutes=2)
    assert bench.ledger.case(7).due_at == at(2)


def test_without_an_intent_a_commit_goes_through_whatever_came_in(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.accept(hint(7, b"later"), due_at=at(1))

    assert bench.ledger.commit(claim, journal={"a": 1}, read_to=claim.unread[-1].seq)
    assert [event.body for event in bench.ledger.unread(7)] == [b"later"]


def test_an_action_is_allowed_once(bench: Bench) -> None:
    claim = bench.claimed()
    read_to = claim.unread[-1].seq
    other = Intent(kind="process", ordinal=1, at=START)
    assert bench.ledger.commit(claim, journal={"n": 1}, intent=CREATE, read_to=read_to)
    assert bench.ledger.commit(claim, journal={"n": 2}, intent=other, read_to=read_to)

    with pytest.raises(IntentExists) as refused:
        bench.ledger.commit(claim, journal={"n": 3}, intent=CREATE, withdraw=other, read_to=read_to, events=[hint(7, b"step")])

    assert refused.value.return_id == 7
    assert bench.ledger.case(7).journal == {"n": 2}
    assert len(bench.ledger.history(7)) == 1
    with pytest.raises(IntentExists):
        bench.ledger.commit(claim, journal={}, intent=other, read_to=read_to)  # it was not withdrawn
    bench.done(claim, due_at=at(0))
    (again,) = bench.ledger.claim_due(at=START, limit=1, lease=LEASE)
    with pytest.raises(IntentExists):
        bench.ledger.commit(again, journal={}, intent=CREATE)


def test_another_ordinal_kind_or_return_is_another_action(bench: Bench) -> None:
    first, second = bench.claimed(7), bench.claimed(8)
    for claim, intent in (
        (first, CREATE),
        (first, Intent(kind="create", ordinal=2, at=START)),
        (first, Intent(kind="flag", ordinal=1, at=START)),
        (second, CREATE),
    ):
        assert bench.ledger.commit(claim, journal={}, intent=intent, read_to=claim.unread[-1].seq)


def test_an_intent_that_was_withdrawn_may_be_made_again(bench: Bench) -> None:
    claim = bench.claimed()
    read_to = claim.unread[-1].seq
    bench.ledger.commit(claim, journal={}, intent=CREATE, read_to=read_to)
    assert bench.ledger.commit(claim, journal={}, withdraw=CREATE, read_to=read_to)
    assert bench.ledger.commit(claim, journal={}, withdraw=CREATE)  # nothing there any more: nothing to do
    assert bench.ledger.commit(claim, journal={}, intent=CREATE)
    assert bench.ledger.commit(claim, journal={}, intent=CREATE, withdraw=CREATE)
    with pytest.raises(IntentExists):
        bench.ledger.commit(claim, journal={}, intent=CREATE)


def test_to_finish_gives_the_lease_back_and_says_when_to_look_again(bench: Bench) -> None:
    claim = bench.claimed()
    step = Event(kind="step.acted", return_id=7, at=at(1))
    bench.done(claim, due_at=at(60), minutes=2, journal={"j": 1}, summary={"reasons": ["r"], "breaks": []}, events=iter([step]))

    case = bench.ledger.case(7)
    assert (case.due_at, case.leased, case.journal, case.summary) == (at(60), False, {"j": 1}, {"reasons": ["r"], "breaks": []})
    assert (case.created_at, case.updated_at) == (at(0), at(2))
    assert [event.kind for event in bench.ledger.history(7)] == ["loop.hint", "step.acted"]
    assert bench.ledger.unread(7) == []


@pytest.mark.parametrize("due_at", [None, at(600)])
def test_what_came_in_meanwhile_makes_it_due_at_once(bench: Bench, due_at: datetime | None) -> None:
    claim = bench.claimed()
    bench.ledger.accept(hint(7, b"meanwhile"), due_at=at(3))
    bench.done(claim, due_at=due_at, minutes=5)

    assert bench.ledger.case(7).due_at == at(5)
    (again,) = bench.ledger.claim_due(at=at(5), limit=1, lease=LEASE)
    assert [event.body for event in again.unread] == [b"meanwhile"]


def test_what_came_in_meanwhile_and_was_read_does_not(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.accept(hint(7, b"meanwhile"), due_at=at(3))
    bench.done(claim, due_at=at(600), read_to=bench.ledger.unread(7)[-1].seq)

    assert bench.ledger.case(7).due_at == at(600)


@pytest.mark.parametrize("taken", [False, True])
def test_a_worker_that_lost_its_lease_writes_nothing(bench: Bench, taken: bool) -> None:
    stale = bench.claimed()
    bench.ledger.commit(stale, journal={"mine": 1})
    bench.pass_time(LEASE)
    heir = bench.ledger.claim(7, at=at(1), lease=LEASE) if taken else None
    read_to = stale.unread[-1].seq

    with pytest.raises(LeaseLost) as lost:
        bench.done(stale, summary={"breaks": [1]}, events=[hint(7, b"step")])
    assert lost.value.return_id == 7
    with pytest.raises(LeaseLost):
        bench.ledger.commit(stale, journal={"mine": 2}, intent=CREATE, read_to=read_to, events=[hint(7, b"step")])

    case = bench.ledger.case(7)
    assert (case.journal, case.summary, case.due_at) == ({"mine": 1}, {}, START)
    assert case.leased == taken
    assert len(bench.ledger.history(7)) == len(bench.ledger.unread(7)) == 1
    heir = heir or bench.ledger.claim(7, at=at(1), lease=LEASE)
    assert bench.ledger.commit(heir, journal={}, intent=CREATE, read_to=read_to)  # the stale one has not taken it
    bench.done(heir)


def test_a_lease_that_was_given_back_is_lost(bench: Bench) -> None:
    claim = bench.claimed()
    bench.done(claim)

    with pytest.raises(LeaseLost):
        bench.done(claim)
    with pytest.raises(LeaseLost):
        bench.ledger.commit(claim, journal={})


@pytest.mark.parametrize("other", [{"fence": 2}, {"fence": 0}, {"token": "another"}, {"return_id": 8}])
def test_a_claim_is_known_by_its_fence_its_token_and_its_return(bench: Bench, other: dict[str, object]) -> None:
    bench.claimed(8)
    claim = bench.claimed(7)
    with pytest.raises(LeaseLost):
        bench.ledger.commit(attrs.evolve(claim, **other), journal={"forged": 1})
    assert bench.ledger.commit(claim, journal={})


def test_steps_are_filed_under_the_return_they_belong_to(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.commit(claim, journal={}, events=[Event(kind="step.a", return_id=None, at=START)])

    assert [event.kind for event in bench.ledger.history(7)] == ["loop.hint", "step.a"]
    assert bench.ledger.asides() == []


# ---------------------------------------------------------------------------------------------------- read


def test_what_was_never_met_is_not_there(bench: Bench) -> None:
    assert bench.ledger.case(7) is None
    assert bench.ledger.history(7) == bench.ledger.unread(7) == bench.ledger.asides() == bench.ledger.open_cases() == []
    assert bench.ledger.stats(at=START) == {
        "cases": 0, "open": 0, "due": 0, "leased": 0, "oldest_due_at": None, "asides": 0, "events": 0
    }  # fmt: skip


def test_open_cases_and_those_with_breaks_come_in_pages(bench: Bench) -> None:
    for return_id in range(1, 8):
        claim = bench.claimed(return_id)
        breaks = [{"code": "X"}] if return_id % 3 == 0 else []
        bench.done(claim, due_at=None if return_id % 2 else at(return_id), summary={"breaks": breaks})

    pages, after = [], 0
    while page := bench.ledger.open_cases(after=after, limit=2):
        pages.append([row.return_id for row in page])
        after = page[-1].return_id
    assert pages == [[2, 4], [6]]
    assert [row.return_id for row in bench.ledger.cases_with_breaks(limit=1)] == [3]
    (row,) = bench.ledger.cases_with_breaks(after=3)
    assert (row.return_id, row.due_at, row.summary, row.journal) == (6, at(6), {"breaks": [{"code": "X"}]}, {"n": 1})


def test_a_break_that_is_gone_is_listed_no_more(bench: Bench) -> None:
    bench.done(bench.claimed(), summary={"breaks": [1]})
    bench.done(bench.ledger.claim(7, at=START, lease=LEASE), summary={"breaks": []})

    assert bench.ledger.cases_with_breaks() == []


def test_asides_come_newest_first(bench: Bench) -> None:
    for number in range(5):
        bench.ledger.accept(hint(None, b"%d" % number, kind="unreadable"), due_at=None)

    assert [event.body for event in bench.ledger.asides(limit=3)] == [b"4", b"3", b"2"]
    assert all(event.return_id is None for event in bench.ledger.asides())


def test_the_numbers(bench: Bench) -> None:
    for return_id in (1, 2, 3):
        bench.ledger.accept(hint(return_id), due_at=at(10 * return_id))
    bench.ledger.accept(hint(None), due_at=None)
    bench.done(bench.claimed(4), due_at=None)
    held = bench.ledger.claim(1, at=at(10), lease=LEASE)

    assert bench.ledger.stats(at=at(20)) == {
        "cases": 4, "open": 3, "due": 2, "leased": 1, "oldest_due_at": at(10), "asides": 1, "events": 5
    }  # fmt: skip
    bench.pass_time(LEASE)
    assert bench.ledger.stats(at=at(20))["leased"] == 0
    assert bench.ledger.stats(at=at(20))["oldest_due_at"] == at(10)
    assert held is not None


def test_facts_are_stored_replaced_and_removed(bench: Bench) -> None:
    assert bench.ledger.get("mark") is None
    bench.ledger.put("mark", "one")
    bench.ledger.put("mark", "two")
    assert bench.ledger.get("mark") == "two"
    bench.ledger.put("mark", None)
    bench.ledger.put("mark", None)
    assert bench.ledger.get("mark") is None


def test_of_two_who_would_store_a_fact_first_one_is_and_both_are_told(bench: Bench) -> None:
    assert bench.ledger.put_first("owner", "ana") == "ana"
    assert bench.ledger.put_first("owner", "bob") == "ana"
    assert bench.ledger.get("owner") == "ana"
    bench.ledger.put("owner", None)
    assert bench.ledger.put_first("owner", "bob") == "bob"


def test_what_was_given_is_not_changed_by_changing_what_comes_back(bench: Bench) -> None:
    given = {"list": [1]}
    bench.done(bench.claimed(), journal=given)
    given["list"].append(2)
    bench.ledger.case(7).journal["list"].append(3)

    assert bench.ledger.case(7).journal == {"list": [1]}


# ---------------------------------------------------------------------------------------------------- retention


def test_what_is_old_and_settled_expires(bench: Bench) -> None:
    bench.done(bench.claimed(1, minutes=-100), journal={"guard": True})
    bench.ledger.accept(hint(2, minutes=-100), due_at=at(1))
    bench.ledger.accept(hint(None, b"old", minutes=-100), due_at=None)
    bench.ledger.accept(hint(None, b"new"), due_at=None)
    claim = bench.ledger.claim(1, at=START, lease=LEASE)
    bench.ledger.commit(claim, journal={"guard": True}, intent=CREATE)
    bench.done(claim, journal={"guard": True}, events=[Event(kind="step.late", return_id=1, at=START)])

    assert bench.ledger.expire(before=START) == 2
    assert [event.kind for event in bench.ledger.history(1)] == ["step.late"]
    assert len(bench.ledger.history(2)) == 1
    assert [event.body for event in bench.ledger.asides()] == [b"new"]
    assert bench.ledger.case(1).journal == {"guard": True}
    again = bench.ledger.claim(1, at=START, lease=LEASE)
    with pytest.raises(IntentExists):
        bench.ledger.commit(again, journal={}, intent=CREATE)
    assert bench.ledger.expire(before=START) == 0


def test_of_an_open_case_what_is_old_and_read_loses_its_body(bench: Bench) -> None:
    bench.done(bench.claimed(1, minutes=-100), due_at=at(600))
    bench.ledger.accept(hint(1, b"unread", minutes=-90), due_at=None)
    bench.ledger.accept(hint(1, b"new"), due_at=None)

    assert bench.ledger.expire(before=START) == 0
    assert [event.body for event in bench.ledger.history(1)] == [b"", b"unread", b"new"]
    bench.done(bench.ledger.claim(1, at=START, lease=LEASE), due_at=at(600))
    bench.ledger.expire(before=START)
    assert [event.body for event in bench.ledger.history(1)] == [b"", b"", b"new"]


def test_a_number_is_not_given_twice_though_its_event_expired(bench: Bench) -> None:
    bench.ledger.accept(hint(None), due_at=None)
    (gone,) = bench.ledger.asides()
    assert bench.ledger.expire(before=at(1)) == 1
    bench.ledger.accept(hint(None), due_at=None)
    assert bench.ledger.asides()[0].seq > gone.seq


def test_to_forget_deletes_what_is_personal_and_keeps_what_guards(bench: Bench) -> None:
    claim = bench.claimed()
    bench.ledger.commit(claim, journal={"guard": 1}, intent=CREATE, read_to=claim.unread[-1].seq)
    bench.done(claim, journal={"guard": 1}, summary={"breaks": [{"code": "X"}], "reasons": ["Jane"]}, due_at=at(9))
    bench.ledger.accept(Event(kind="person.hold", return_id=7, at=at(1), body=b'{"by":"ann"}'), due_at=None)
    bench.claimed(8)

    bench.ledger.forget(7)

    case = bench.ledger.case(7)
    assert (case.journal, case.summary, case.due_at) == ({"guard": 1}, {}, at(9))
    assert bench.ledger.cases_with_breaks() == []
    assert [event.body for event in bench.ledger.history(7)] == [b"", b'{"by":"ann"}']  # a word not yet heard is not lost
    assert [event.body for event in bench.ledger.history(8)] == [b"{}"]
    heir = bench.ledger.claim(7, at=at(9), lease=LEASE)
    with pytest.raises(IntentExists):
        bench.ledger.commit(heir, journal={}, intent=CREATE, read_to=heir.unread[-1].seq)
    bench.done(heir)
    assert [event.body for event in bench.ledger.history(7)] == [b"", b""]  # once heard, it is


def test_to_forget_what_was_never_met_does_nothing(bench: Bench) -> None:
    bench.ledger.forget(7)
    assert bench.ledger.case(7) is None


# ---------------------------------------------------------------------------------------------------- refused alike


@pytest.mark.parametrize("return_id", [0, -1, 2**63, 10**400, True, "7", 7.0], ids=["0", "-1", "64 bits", "huge", "bool", "str", "float"])
def test_a_return_id_is_a_positive_int_of_64_bits(bench: Bench, return_id: object) -> None:
    with pytest.raises(ConfigurationError, match="return_id"):
        bench.ledger.accept(hint(return_id), due_at=START)
    with pytest.raises(ConfigurationError, match="return_id"):
        bench.ledger.claim(return_id, at=START, lease=LEASE)
    for read in (bench.ledger.case, bench.ledger.history, bench.ledger.unread, bench.ledger.forget):
        with pytest.raises(ConfigurationError, match="return_id"):
            read(return_id)


def test_the_largest_id_is_one(bench: Bench) -> None:
    bench.ledger.accept(hint(2**63 - 1), due_at=START)
    assert bench.ledger.claim_due(at=START, limit=1, lease=LEASE)[0].return_id == 2**63 - 1


def test_a_time_has_a_zone(bench: Bench) -> None:
    naive = datetime(2026, 1, 1)
    for wrong in (
        lambda: bench.ledger.accept(hint(), due_at=naive),
        lambda: bench.ledger.accept(Event(kind="k", return_id=7, at=naive), due_at=None),
        lambda: bench.ledger.claim_due(at=naive, limit=1, lease=LEASE),
        lambda: bench.ledger.claim(7, at=naive, lease=LEASE),
        lambda: bench.ledger.expire(before=naive),
        lambda: bench.ledger.stats(at=naive),
    ):
        with pytest.raises(ConfigurationError, match="time zone"):
            wrong()
    with pytest.raises(ConfigurationError, match="lease"):
        bench.ledger.claim(7, at=START, lease=timedelta(0))


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": float("inf")}, {"x": START}, {"x": {1, 2}}])
def test_a_journal_is_strict_json(bench: Bench, value: dict[str, object]) -> None:
    claim = bench.claimed()
    with pytest.raises(ConfigurationError, match="strict JSON"):
        bench.ledger.commit(claim, journal=value)
    with pytest.raises(ConfigurationError, match="strict JSON"):
        bench.done(claim, summary=value)
    assert bench.ledger.case(7).leased


def test_a_closed_ledger_says_so(bench: Bench) -> None:
    bench.ledger.close()
    bench.ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        bench.ledger.accept(hint(), due_at=START)
    with pytest.raises(LedgerUnavailable, match="closed"):
        bench.ledger.case(7)
