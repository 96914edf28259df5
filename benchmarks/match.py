"""How fast returns are matched, beside the `threeway` package on the same lines, and beside reading the returns themselves.

    python benchmarks/match.py [--returns 200000] [--rounds 5] [--json]
    python benchmarks/match.py --growth [--plot docs/img/match-growth.svg]
    python benchmarks/match.py --hard

Synthetic returns of 1 to 3 units; 5 % are exceptions (one short, one too many, another item, damaged). In interleaved rounds of one
process, on one core, seconds of processor time, medians and their ratios:

* ours: a verdict and findings for each return;
* ours, read: `.fingerprint` and `.pairs` of each are read, too, which computes them;
* threeway: `reconcile` of the same units as purchase order, goods receipt and invoice: a status and a reason for each line;
* parse: the same returns from their full Loop JSON, of about 4 KB each (on a sample of them).

`--growth` matches 10³ to 10⁶ returns, in batches, each built before the clock runs; `--hard` takes the returns that are not clean: 2,000
units, and the largest component that is solved. Needs `threeway`, and `matplotlib` for the plot: the extra `[bench]`.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from loop_whiplash.loop.models import Return
from loop_whiplash.matching import match
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROW = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "return_list_row.json"
Case = tuple[Rma, list[Receipt]]

TARGETS = {"returns a second": 60_000, "x threeway": 5.0, "x threeway, read": 2.0, "x parse": 1.0}
HARD_TARGETS = {"2,000 units": 0.5, "component at the cap": 0.05}


# ------------------------------------------------------------------------------------------------------------ the data


def synthetic(count: int, *, seed: int = 7, first_id: int = 1) -> Iterator[Case]:
    """Returns with the identifiers that both systems really carry, and what was counted of them."""
    random = Random(seed)
    prices = [Decimal(f"{euros}.90") for euros in range(5, 200, 5)]
    for return_id in range(first_id, first_id + count):
        units, counted = [], []
        for place in range(1, random.randint(1, 3) + 1):
            product = random.randrange(5_000)
            sku, number = f"SKU-{product:05d}", return_id * 10 + place
            units.append(
                ExpectedUnit(
                    line_id=str(number), sku=sku, barcode=f"{product:013d}", variant_id=str(40_000_000 + product),
                    product_id=str(product // 4),
                    value=random.choice(prices), outcome="refund",
                )
            )  # fmt: skip
            counted.append(ReceivedUnit(id=f"{number}/1", sku=sku, item_id=900_000 + product, condition="good"))
        if random.random() < 0.05:
            amiss = random.randrange(4)
            if amiss == 0 and len(counted) > 1:
                counted.pop()
            elif amiss == 1:
                counted.append(ReceivedUnit(id=f"{return_id}9/2", sku=units[0].sku, item_id=counted[0].item_id, condition="good"))
            elif amiss == 2:
                counted[0] = ReceivedUnit(id=counted[0].id, sku="SKU-OTHER", item_id=7, condition="good")
            else:
                counted[0] = ReceivedUnit(id=counted[0].id, sku=units[0].sku, item_id=counted[0].item_id, condition="damaged")
        made = NOW - timedelta(days=random.randint(5, 20))
        rma = Rma(return_id=return_id, units=units, currency="EUR", outcome="refund", created_at=made, was_processed=False)
        receipt = Receipt(id=return_id, units=counted, final=True, status=300, received_at=NOW - timedelta(days=4), return_id=return_id)
        yield rma, [receipt]


def loop_json(cases: list[Case]) -> list[bytes]:
    """The returns as Loop's list gives them: every field, and as many line items as they have."""
    row = json.loads(ROW.read_bytes())
    line = row["line_items"][0]
    found = []
    for rma, _ in cases:
        lines = [{**line, "line_item_id": unit.line_id, "sku": unit.sku, "barcode": unit.barcode} for unit in rma.units]
        found.append(json.dumps({**row, "id": str(rma.return_id), "line_items": lines}, separators=(",", ":")).encode())
    return found


# ------------------------------------------------------------------------------------------------------ what is timed


def ours(cases: list[Case]) -> None:
    for rma, receipts in cases:
        decision = match(rma, receipts, at=NOW)
        decision.verdict, decision.findings  # noqa: B018


def ours_read(cases: list[Case]) -> None:
    for rma, receipts in cases:
        decision = match(rma, receipts, at=NOW)
        decision.fingerprint, decision.pairs  # noqa: B018


def threeway_of(cases: list[Case]) -> Callable[[], Any]:
    from threeway.core import RawLine, reconcile

    one = Decimal(1)
    ordered = [RawLine(str(rma.return_id), unit.sku, one, unit.value) for rma, _ in cases for unit in rma.units]  # type: ignore[arg-type]
    received = [RawLine(str(rma.return_id), unit.sku, one) for rma, receipts in cases for one_ in receipts for unit in one_.units]  # type: ignore[arg-type]
    tolerance = {"qty_tolerance": Decimal(0), "value_tolerance": Decimal(0), "pct_tolerance": Decimal(0)}
    return lambda: reconcile(ordered, received, ordered, **tolerance)


def clocked(work: Callable[[], Any]) -> float:
    """Seconds of processor time, which another program on the machine does not stretch. The collector runs, as it does in use."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def speed(count: int, rounds: int) -> dict[str, float]:
    cases = list(synthetic(count))
    sample = loop_json(cases[: max(1, min(count, 5_000))])
    gc.freeze()
    works: dict[str, tuple[Callable[[], Any], int]] = {
        "ours": (lambda: ours(cases), count),
        "ours, read": (lambda: ours_read(cases), count),
        "threeway": (threeway_of(cases), count),
        "parse": (lambda: [Return.from_json(body) for body in sample], len(sample)),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name in list(works) if turn % 2 else reversed(works):
            work, size = works[name]
            taken[name].append(clocked(work) / size)
    each = {name: statistics.median(times) for name, times in taken.items()}
    figures = {f"{name}, microseconds a return": seconds * 1e6 for name, seconds in each.items()}
    return figures | {
        "returns a second": 1 / each["ours"],
        "returns a second, read": 1 / each["ours, read"],
        "x threeway": each["threeway"] / each["ours"],
        "x threeway, read": each["threeway"] / each["ours, read"],
        "x parse": each["parse"] / each["ours"],
        "x parse, read": each["parse"] / each["ours, read"],
    }


# ------------------------------------------------------------------------------------------------------------ the hard


def many_units(size: int) -> Case:
    """All kinds of trouble in one return: reused SKUs, missing identifiers, one too many, one missing, a damaged one."""
    expected = [
        ExpectedUnit(
            line_id=str(n),
            sku=f"S{n % 400}" if n % 5 else None,
            barcode=f"b{n}" if n % 3 else None,
            value=Decimal(n % 90),
        )
        for n in range(size)
    ]
    counted = [
        ReceivedUnit(
            id=f"u{n}",
            sku=f"S{n % 400}" if n % 7 else None,
            barcode=f"b{n}" if n % 4 else None,
            condition="damaged" if n % 500 == 3 else "good",
        )
        for n in range(1, size + 1)
    ]
    return Rma(return_id=1, units=expected, created_at=NOW), [Receipt(id=1, units=counted, final=True, received_at=NOW)]


def look_alikes(size: int, seed: int) -> Case:
    """One connected component, in which every short cut fails."""
    random = Random(seed)

    def ids() -> dict[str, Any]:
        kinds = {"item_id": random.randrange(3), "sku": f"S{random.randrange(3)}", "barcode": "b", "variant_id": f"v{random.randrange(2)}"}
        return {kind: value for kind, value in kinds.items() if kind == "barcode" or random.random() < 0.5}

    expected = [ExpectedUnit(line_id=str(n), value=Decimal(random.randrange(50)), **ids()) for n in range(1, size + 1)]
    counted = [ReceivedUnit(id=f"u{n}", condition="good", **ids()) for n in range(1, size + 1)]
    return Rma(return_id=1, units=expected, created_at=NOW), [Receipt(id=1, units=counted, final=True, received_at=NOW)]


def hard(rounds: int) -> dict[str, float]:
    big = many_units(2_000)
    worst = 0.0
    for seed in range(20):
        case = look_alikes(64, seed)
        worst = max(worst, statistics.median(clocked(lambda case=case: match(*case, at=NOW)) for _ in range(rounds)))
    crowd = look_alikes(400, 1)
    return {
        "2,000 units": statistics.median(clocked(lambda: match(*big, at=NOW).to_dict()) for _ in range(rounds)),
        "component at the cap": worst,
        "400 look-alikes, beyond the cap": statistics.median(clocked(lambda: match(*crowd, at=NOW)) for _ in range(rounds)),
    }


# ---------------------------------------------------------------------------------------------------------- the growth


def growth(sizes: list[int]) -> dict[int, float]:
    """Seconds for that many returns."""
    found = {}
    for size in sizes:
        spent, batch = 0.0, 20_000
        for first in range(0, size, batch):
            cases = list(synthetic(min(batch, size - first), seed=first, first_id=first + 1))
            spent += clocked(lambda cases=cases: ours(cases))
        found[size] = spent
    return found


def plot(seconds: dict[int, float], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "loop-whiplash"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    sizes = sorted(seconds)
    rate = statistics.median(seconds[size] / size for size in sizes)
    axes.loglog(sizes, [rate * size for size in sizes], color="#9aa5b1", linestyle="--", label=f"linear, {rate * 1e6:.1f} µs a return")
    axes.loglog(sizes, [seconds[size] for size in sizes], color="#1f6feb", marker="o", linewidth=0, label="measured")
    axes.set_xlabel("returns of 1 to 3 units, 5 % exceptions")
    axes.set_ylabel("seconds, one core")
    axes.grid(True, which="major", color="#d8dee4", linewidth=0.6)
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--returns", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.growth:
        seconds = growth([10**3, 10**4, 10**5, 10**6])
        if options.plot:
            plot(seconds, options.plot)
        each = [seconds[size] / size for size in seconds]
        print(json.dumps(seconds) if options.json else "\n".join(f"{size:>9,} returns: {spent:8.3f} s" for size, spent in seconds.items()))
        return 0 if max(each) <= 1.5 * min(each) else 1
    if options.hard:
        figures = hard(options.rounds)
        met = all(figures[name] < limit for name, limit in HARD_TARGETS.items())
    else:
        figures = speed(options.returns, options.rounds)
        met = all(figures[name] >= least for name, least in TARGETS.items())
    if options.json:
        print(json.dumps(figures))
    else:
        width = max(map(len, figures))
        for name, value in figures.items():
            limit = {**TARGETS, **HARD_TARGETS}.get(name)
            print(f"{name:<{width}} {value:12,.4f}" + (f"   (target {limit:,})" if limit is not None else ""))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
