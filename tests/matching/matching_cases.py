"""Returns and receipts to test the matcher with: reused and missing identifiers, several parcels, wrong and unknown things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import attrs
from hypothesis import strategies as st

from loop_whiplash.matching import Policy
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

T = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def expect(line: int | str, sku: str | None = None, **more: Any) -> ExpectedUnit:
    return ExpectedUnit(line_id=str(line), sku=sku, **more)


def count(unit_id: str, sku: str | None = None, condition: str | None = "good", **more: Any) -> ReceivedUnit:
    return ReceivedUnit(id=unit_id, sku=sku, condition=condition, **more)


def receipt(*units: ReceivedUnit, receipt_id: int = 77, final: bool = True, at: datetime | None = T, **more: Any) -> Receipt:
    return Receipt(id=receipt_id, units=units, final=final, received_at=at, **more)


def rma(*units: ExpectedUnit, **more: Any) -> Rma:
    return Rma(**{"return_id": 501, "units": units, "created_at": T - 10 * DAY, **more})


def with_receipts_split(receipts: Sequence[Receipt]) -> list[Receipt]:
    """The same goods, each unit on a receipt of its own."""
    found = []
    for one in receipts:
        units = one.units or (None,)
        for place, unit in enumerate(units):
            found.append(attrs.evolve(one, id=one.id * 1000 + place, units=() if unit is None else (unit,)))
    return found


# ------------------------------------------------------------------------------------------------------ hypothesis

_maybe = lambda *values: st.sampled_from((None, None, *values))  # noqa: E731
times = st.integers(-60, 60).map(lambda hours: T + timedelta(hours=hours * 7))
conditions = st.sampled_from(("good", "good", "good", "damaged", None))
outcomes = st.sampled_from((None, "refund", "exchange", "credit", "default", "exchange+refund"))


@st.composite
def identifiers(draw: st.DrawFn, carried: Sequence[bool]) -> dict[str, Any]:
    """From small pools, so that all of them are reused; a kind that is not in `carried` is missing throughout."""
    pools: tuple[tuple[str, Sequence[Any]], ...] = (
        ("item_id", (1, 2, 3)),
        ("sku", ("A", "B", "C")),
        ("barcode", ("b1", "b2")),
        ("variant_id", ("v1", "v2")),
    )
    found: dict[str, Any] = {}
    for (kind, pool), on in zip(pools, carried, strict=True):
        found[kind] = draw(_maybe(*pool, *pool)) if on else None
    found["product_id"] = draw(_maybe("p1", "p2"))
    return found


@st.composite
def returns(draw: st.DrawFn, *, most: int = 4, unknown: bool = False) -> tuple[Rma, list[Receipt]]:
    """A return and its receipts. With `unknown`, something in it is a value nobody knows."""
    carried = draw(st.tuples(*[st.booleans()] * 4))
    line_ids = draw(st.booleans())
    units = [
        ExpectedUnit(
            line_id=str(line),
            value=draw(st.sampled_from((None, Decimal(5), Decimal(5), Decimal(20)))),
            outcome=draw(outcomes),
            **draw(identifiers(carried)),
        )
        for line in range(1, draw(st.integers(0, most)) + 1)
    ]
    received: list[ReceivedUnit] = []
    for place in range(draw(st.integers(0, most + 1))):
        if units and draw(st.integers(0, 3)):
            twin = draw(st.sampled_from(units))
            ids = {kind: getattr(twin, kind) for kind in ("item_id", "sku", "barcode", "variant_id", "product_id")}
            ids = {kind: value if draw(st.integers(0, 4)) else None for kind, value in ids.items()}
            line = twin.line_id if line_ids and draw(st.booleans()) else None
        else:
            ids, line = draw(identifiers(carried)), draw(_maybe("1", "2", "9")) if line_ids else None
        received.append(ReceivedUnit(id=f"u{place}", line_id=line, condition=draw(conditions), **ids))
    receipts = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        mine, received = (received, []) if number == 3 else (received[::2], received[1::2])
        if mine or draw(st.booleans()):
            final = draw(st.integers(0, 3)) > 0
            status = draw(st.sampled_from((None, 300))) if final else draw(st.sampled_from((None, 200, 150)))
            receipts.append(Receipt(id=number, units=tuple(mine), final=final, status=status, received_at=draw(times)))
    if received:
        receipts.append(Receipt(id=9, units=tuple(received), final=True, received_at=draw(times)))
    expected = Rma(
        return_id=501,
        units=tuple(units),
        state=draw(st.sampled_from(("open", "open", "open", "review", "expired"))),
        outcome=draw(st.sampled_from((None, "refund", "exchange"))),
        created_at=draw(st.none() | st.just(T - 20 * DAY)),
        trackings=draw(st.sampled_from(((), ("1Z1",), ("1Z1", "1Z2")))),
        currency="USD",
    )
    if unknown:
        expected, receipts = draw(with_something_unknown(expected, receipts))
    return expected, receipts


@st.composite
def with_something_unknown(draw: st.DrawFn, expected: Rma, receipts: list[Receipt]) -> tuple[Rma, list[Receipt]]:
    places = ["state"]
    places += ["status"] if receipts else []
    places += ["condition"] if any(one.units for one in receipts) else []
    places += ["outcome"] if expected.units else []
    place = draw(st.sampled_from(places))
    if place == "state":
        return attrs.evolve(expected, state=draw(st.sampled_from(("paused", "", "OPEN", "unknown")))), receipts
    if place == "outcome":
        units = list(expected.units)
        units[0] = attrs.evolve(units[0], outcome=draw(st.sampled_from(("barter", "refund+barter"))))
        return attrs.evolve(expected, units=tuple(units)), receipts
    chosen = draw(st.sampled_from([number for number, one in enumerate(receipts) if place == "status" or one.units]))
    if place == "status":
        changed = attrs.evolve(receipts[chosen], status=draw(st.sampled_from((0, 7, 310, 999))))
    else:
        units_ = list(receipts[chosen].units)
        units_[0] = attrs.evolve(units_[0], condition=draw(st.sampled_from(("refurbished", "Good", "GOOD", ""))))
        changed = attrs.evolve(receipts[chosen], units=tuple(units_))
    return expected, [*receipts[:chosen], changed, *receipts[chosen + 1 :]]


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[Rma, list[Receipt]]:
    """A return of which most came, all counted, at most one thing amiss."""
    carried = draw(st.tuples(*[st.booleans()] * 4))
    units, received = [], []
    amiss = draw(st.sampled_from(("nothing", "nothing", "short", "short", "over", "other", "damaged", "conflict")))
    for line in range(1, draw(st.integers(1, 4)) + 1):
        ids = {kind: value for kind, value in draw(identifiers(carried)).items() if value is not None} or {"sku": "A"}
        value = draw(st.sampled_from((None, Decimal(5), Decimal(20))))
        units.append(ExpectedUnit(line_id=str(line), value=value, outcome=draw(outcomes), **ids))
        received.append(ReceivedUnit(id=f"u{line}", condition=draw(st.sampled_from(("good", None))), **ids))
    if amiss == "short":
        received.pop()
    elif amiss == "over":
        received.append(attrs.evolve(received[0], id="u9"))
    elif amiss == "other":
        received.append(ReceivedUnit(id="u9", sku="Z", condition="good"))
    elif amiss == "damaged":
        received[0] = attrs.evolve(received[0], condition="damaged")
    elif amiss == "conflict":
        received[0] = attrs.evolve(received[0], barcode="b9", variant_id="v9")
    cut = draw(st.integers(0, len(received)))
    receipts = [
        Receipt(id=number, units=tuple(part), final=True, received_at=draw(times))
        for number, part in enumerate((received[:cut], received[cut:]))
    ]
    trackings = draw(st.sampled_from(((), ("1Z1", "1Z2"))))
    return Rma(return_id=501, units=tuple(units), created_at=T - 20 * DAY, trackings=trackings), receipts


limits = st.sampled_from((None, 0, 1, 2, 5))
amounts = st.sampled_from((None, Decimal(0), Decimal(5), Decimal(10), Decimal(40)))


@st.composite
def policies(draw: st.DrawFn, *, surplus: bool = True, missing: bool = True) -> Policy:
    level = draw(st.sampled_from((4, 4, 3)))
    substitutes = draw(st.sampled_from(("never", "same_product", "listed")))
    warn, flag = draw(st.sampled_from(((None, None), (2, 9), (None, 25), (1, None))))
    return Policy(
        match_level=level,
        under_units=draw(limits) if missing else None,
        under_value=draw(amounts) if missing else None,
        over_units=draw(limits) if surplus else None,
        over_value=draw(amounts) if surplus else None,
        substitutes=substitutes,
        substitute_skus={"A": ("B",), "B": ("A", "C")} if substitutes == "listed" else {},
        unexpected=draw(st.sampled_from(("flag", "flag", "accept"))),
        min_condition=draw(st.sampled_from(("good", "good", "damaged"))),
        min_condition_by_outcome=draw(st.sampled_from(({}, {"exchange": "damaged"}, {"refund": "good", "credit": "damaged"})))
        if level == 4
        else {},
        require_grading=level == 4 and draw(st.booleans()),
        review_above_value=draw(st.sampled_from((None, None, Decimal(12)))),
        days_late_warn=warn,
        days_late_flag=flag,
        settle_window=draw(st.sampled_from((timedelta(0), timedelta(0), timedelta(hours=6)))),
        sku_case=draw(st.sampled_from(("exact", "ignore"))),
        bundles=draw(st.sampled_from(({}, {}, {"A": {"B": 1, "C": 1}}, {"A": {"B": 2}, "K": {"C": 1}}))),
    )


# ---------------------------------------------------------------------------------------------- for the long run


def random_return(random: Random, most: int = 6) -> tuple[Rma, list[Receipt], datetime]:
    """A return with times and known values for the oracle; ids of one length, identifiers that normalising leaves alone."""
    reuse = random.choice((1, 2, 3, 6))
    drop = random.choice((0.0, 0.3, 0.6))
    lines = random.random() < 0.4

    def ids(product: int) -> dict[str, Any]:
        keep = [random.random() >= drop for _ in range(4)]
        return {
            "item_id": product if keep[0] else None,
            "sku": f"S{product % reuse}" if keep[1] else None,
            "barcode": f"b{random.randrange(reuse) if random.random() < 0.1 else product % 4}" if keep[2] else None,
            "variant_id": f"v{product}" if keep[3] else None,
        }

    products = [random.randrange(6) for _ in range(random.randrange(most + 1))]
    half = random.random() < 0.5
    units = [
        ExpectedUnit(
            line_id=str(place + 1),
            value=random.choice((None, Decimal(5), Decimal(20))),
            **{**ids(product), **({"item_id": None} if half else {})},
        )
        for place, product in enumerate(products)
    ]
    counted = []
    for place, product in enumerate(products + [random.randrange(6)] * (random.random() < 0.2)):
        if random.random() < 0.92:
            line = str(place + 1) if lines and random.random() < 0.5 else None
            counted.append((line, product))
    random.shuffle(counted)
    received = [
        ReceivedUnit(id=f"u{place}", line_id=line, condition="good" if random.random() < 0.97 else "damaged", **ids(product))
        for place, (line, product) in enumerate(counted[:most])
    ]
    parcels = random.choice((1, 1, 1, 2))
    receipts = [
        Receipt(
            id=number + 1,
            units=tuple(received[number::parcels]),
            final=random.random() < 0.9,
            received_at=T + timedelta(hours=random.randrange(240)),
        )
        for number in range(parcels)
    ]
    expected = Rma(return_id=501, units=tuple(units), created_at=T - 10 * DAY)
    latest = max(one.received_at or T for one in receipts)
    return expected, receipts, latest + timedelta(hours=random.randrange(240))
