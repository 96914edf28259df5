"""What is tried again, and when: the pure decision, and tenacity stepped by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Interrupted, NotSent, Reply
from loop_whiplash.http.retry import ONCE, Outcome, Retry, Steps, next_wait, retry_after

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def wait(
    outcome: Outcome, *, attempt: int = 1, elapsed: float = 0.0, repeatable: bool = True, policy: Retry | None = None, random: float = 1.0
) -> float | None:
    return next_wait(
        policy or Retry(), attempt=attempt, elapsed=elapsed, repeatable=repeatable, outcome=outcome, random=lambda: random, now=NOW
    )


def reply(status: int, **headers: str) -> Reply:
    return Reply(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("outcome", "reading", "writing"),
    [
        (reply(200), False, False),
        (reply(404), False, False),
        (reply(401), False, False),
        (reply(408), True, False),
        (reply(429), True, True),
        (reply(500), True, False),
        (reply(501), False, False),
        (reply(503), True, False),
        (reply(505), False, False),
        (reply(599), True, False),
        (NotSent(), True, True),
        (NotSent(final=True), False, False),
        (Interrupted(), True, False),
        (Interrupted(final=True), False, False),
    ],
)
def test_the_table(outcome: Outcome, reading: bool, writing: bool) -> None:
    assert (wait(outcome) is not None) is reading
    assert (wait(outcome, repeatable=False) is not None) is writing
    assert wait(outcome, policy=ONCE) is None


statuses = st.integers(100, 599).map(lambda status: Reply(status=status))
outcomes = st.one_of(statuses, st.just(NotSent()), st.just(Interrupted()))


@given(
    outcome=outcomes,
    attempt=st.integers(1, 50),
    elapsed=st.floats(0, 1e6),
    random=st.floats(0, 1, exclude_max=True),
    repeatable=st.booleans(),
)
def test_attempts_budget_and_caps_hold_for_anything(
    outcome: Outcome, attempt: int, elapsed: float, random: float, repeatable: bool
) -> None:
    policy = Retry(attempts=5, budget=100, base=0.5, cap=30)
    found = wait(outcome, attempt=attempt, elapsed=elapsed, repeatable=repeatable, policy=policy, random=random)
    if found is None:
        return
    assert attempt < 5
    assert elapsed + found <= 100
    assert 0 <= found <= min(30, 0.5 * 2 ** (attempt - 1))
    if not repeatable:
        assert isinstance(outcome, NotSent) or (isinstance(outcome, Reply) and outcome.status == 429)


def test_jitter_is_full() -> None:
    assert [wait(reply(503), attempt=3, random=random) for random in (0.0, 0.25, 1.0)] == [0.0, 0.5, 2.0]


def test_an_attempt_far_out_does_not_overflow() -> None:
    assert wait(reply(503), attempt=10_000, policy=Retry(attempts=20_000)) == 30.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        ("Mon, 02 Mar 2026 09:00:10", 10.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٧", None),
        ("1e9", None),
        ("Mon, 99 Foo 2026", None),
        ("9" * 400, 1e9),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, NOW) == seconds


def test_a_date_is_compared_with_the_replys_own_clock() -> None:
    skewed = NOW + timedelta(hours=5)
    headers = {"retry-after": format_datetime(skewed + timedelta(seconds=9), usegmt=True), "date": format_datetime(skewed, usegmt=True)}
    assert retry_after(headers, NOW) == 9.0


@given(text=st.text(max_size=60))
def test_any_retry_after_is_read_or_ignored(text: str) -> None:
    found = retry_after({"retry-after": text}, NOW)
    assert found is None or found >= 0


def test_a_wait_is_never_shorter_than_retry_after_and_never_beyond_the_cap() -> None:
    assert wait(reply(429, retry_after="20"), random=0.0) == 20.0
    assert wait(reply(503, retry_after="0.1"), attempt=3, random=1.0) == 2.0
    assert wait(reply(429, retry_after="61")) is None
    assert wait(reply(429, retry_after="60"), elapsed=61) is None
    assert wait(reply(429, retry_after="61"), policy=Retry(longest_wait=61)) == 61.0


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": 1.5}, {"attempts": True}, {"budget": -1}, {"base": float("nan")}, {"cap": -0.1}, {"longest_wait": -5}],
)
def test_a_policy_that_cannot_work(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Retry(**wrong)  # type: ignore[arg-type]


def test_a_safe_call_is_tried_at_least_three_times_by_default_even_when_each_times_out() -> None:
    elapsed, attempts = 0.0, 1
    while (found := wait(Interrupted(), attempt=attempts, elapsed=elapsed + 30)) is not None:
        elapsed += 30 + found
        attempts += 1
    assert attempts >= 3


@given(outcomes=st.lists(outcomes, min_size=1, max_size=12), repeatable=st.booleans())
def test_tenacity_stepped_by_hand_does_what_the_decision_says(outcomes: list[Outcome], repeatable: bool) -> None:
    policy = Retry(attempts=6, budget=1e9)
    steps = Steps(lambda attempt, outcome: wait(outcome, attempt=attempt, repeatable=repeatable, policy=policy))
    for number, outcome in enumerate(outcomes, 1):
        assert steps.attempt == number
        found = steps.again(outcome)
        assert found == wait(outcome, attempt=number, repeatable=repeatable, policy=policy)
        if found is None:
            break
