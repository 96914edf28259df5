"""How fast, and how small, a reconciliation is: a million returns against a million consumer returns.

    python benchmarks/reconcile.py [--returns 1000000] [--open-receipts] [--datacompy] [--json]
    python benchmarks/reconcile.py --growth [--datacompy]
    python benchmarks/reconcile.py --memory
    python benchmarks/reconcile.py --html 50000

Rows are full ones (a return of the list takes 4 KB, a consumer return 6 KB) and decoded before the clock runs: a generator
makes, decodes and hands over a few thousand at a time, and the time it takes itself is taken off. In the same pauses
`json.loads` of the standard library reads the same rows from their bytes and drops them; that is the floor to compare
with. Times are CPU times of this process, so that what else the machine does counts little.

Two in a hundred are broken, one in ten has a final receipt: of a return that is paid by default; with `--open-receipts` of
one that is still open, so that each of them is matched, planned and shown with its drill-down: five times as many breaks.

`--growth`: ten thousand, a hundred thousand and a million returns, one after the other. `--memory`: bytes a return at the
peak beyond the few thousand rows in hand, which are let go as in a script that reads two files: by the resident memory of
this process, and by tracemalloc for at most 30,000 returns, since it makes everything several times as slow.
`--datacompy`: the same key and quantity table compared by datacompy (pandas) in the same run.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from loop_whiplash.decoding.json_text import loads as fast_loads
from loop_whiplash.loop.models import Return
from loop_whiplash.matching import Policy
from loop_whiplash.reconciliation import Report, reconcile
from loop_whiplash.whiplash.models import ConsumerReturn

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CHUNK = 2_000
FIRST = 80_000_000

ROW = json.loads((Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "return_list_row.json").read_text())
_PLACE = ("company", "address_1", "address_2", "city", "state", "zip", "phone")
_EMPTY = ("order_batch_id", "quote_id", "order_orig", "meta_data", "scac", "tms_id", "email", "purchase_order", "shop_created_at")
_MADE = {"created_at": "2026-01-29T17:06:59.000-05:00", "updated_at": "2026-01-29T17:06:59.000-05:00"}
#: Fields of the order that comes inside each consumer return; their number and length are what counts here.
ORDER: dict[str, Any] = {
    **dict.fromkeys([f"{kind}_{part}" for kind in ("billing", "shipping") for part in _PLACE]),
    **dict.fromkeys(_EMPTY),
    **_MADE,
    "id": 7_100_200,
    "customer_id": 321,
    "warehouse_id": 2,
    "return_warehouse_id": 2,
    "shipping_method_id": 28,
    "humanize_id": "7100200",
    "status": 300,
    "status_name": "Shipped",
    "previous_status": 250,
    "level1_token": "f" * 32,
    "level2_token": "e" * 32,
    "skip_street_date": False,
    "workable_at": "2026-01-29T18:06:59.000-05:00",
    "due_at": "2026-01-30T16:00:00.000-05:00",
    "order_type": "direct_to_consumer",
    "batch_priority": False,
    "items_updateable": True,
    "order_items": [
        {
            **_MADE,
            "id": 9_300_400 + line,
            "order_id": 7_100_200,
            "item_id": 61_965 + line,
            "quantity": 1,
            "sku": sku,
            "description": "A merino crew sock, grey",
            "price": "17.25",
            "returnable": True,
            "is_bundle": False,
            "packaging": False,
            "originator": {"id": 5_500 + line, "original_id": "7200118455024101", "provider": "shopify"},
        }
        for line, sku in enumerate(("SOCK-M-38", "SOCK-M-38", "BELT-TAN-90"))
    ],
    "tracking": ["1Z999AA10123456784"],
    "originator": {"id": 4_400, "original_id": "5300118822671", "provider": "shopify", "active": True},
}


def ago(days: float) -> str:
    """A time before NOW, in whole seconds."""
    return (NOW - timedelta(days=days)).isoformat(timespec="seconds")


def loop_row(number: int, receipts_open: bool) -> dict[str, Any]:
    """Return number `number`: healthy, or one of the broken ones."""
    kind = kind_of(number)
    age = 1 + number % 9
    row = {
        **ROW,
        "id": str(FIRST + number),
        "order_name": f"#{number}",
        "created_at": ago(age + 2),
        "updated_at": ago(age),
        "label_updated_at": ago(age),
        "label_status": "in_transit",
        "tracking_number": f"3SLWX{number:08}",
        "line_items": ROW["line_items"][: 1 + number % 3],
        "labels": [{**ROW["labels"][0], "status": "in_transit", "updated_at": ago(age), "tracking_number": f"3SLWX{number:08}"}],
    }
    if kind == "received" and not receipts_open:
        row |= {
            "state": "closed",
            "was_processed": True,
            "outcomes_processed_at": {**row["outcomes_processed_at"], "return_processed": ago(age)},
        }
    elif kind == "cancelled":
        row |= {"state": "cancelled"}
    elif kind == "stale":
        row |= {"label_updated_at": ago(20), "labels": [{**row["labels"][0], "updated_at": ago(20)}]}
    elif kind == "unpaid goods":
        row |= {"state": "expired"}
    return row


def kind_of(number: int) -> str:
    """What is the matter with return number `number`."""
    turn = number * 7919 % 1000
    if turn < 20:
        return ("missing", "cancelled", "stale", "unpaid goods")[turn % 4]
    return "received" if turn < 120 else "on its way"


def whiplash_row(number: int) -> dict[str, Any] | None:
    """The consumer return of return number `number`; None where it has none."""
    kind = kind_of(number)
    if kind == "missing":
        return None
    age = 1 + number % 9
    counted = kind in ("received", "unpaid goods")
    notes = ("received_by", "notes_by_whiplash", "notes_by_customer", "total_boxes", "skip_images", "reference")
    empty = ("eta", "delivered_at", "due_at", *notes)
    return {
        **dict.fromkeys(empty),
        "id": 2_000_000 + number,
        "order_id": 7_100_200,
        "customer_id": 321,
        "warehouse_id": 2,
        "sender": "Robin Example",
        "status": 300 if counted else 100,
        "status_name": "Completed" if counted else "In Transit",
        "created_at": ago(age + 1),
        "updated_at": ago(age),
        "arrived_at": ago(age + 0.5) if counted else None,
        "completed_at": ago(age) if counted else None,
        "easypostable_id": None,
        "easypostable_type": "Shipment",
        "shipping_label_url": None,
        "carrier": "PostNL",
        "tracking": f"3SLWX{number:08}",
        "type": "ConsumerReturn",
        "requires_label": False,
        "originator": {
            "id": 1_000_000 + number,
            "originated_type": "Shipnotice",
            "original_id": str(FIRST + number),
            "provider": "api",
            "active": True,
            "created_at": ago(age + 1),
            "updated_at": ago(age + 1),
            "application_id": 1,
        },
        "return_items": [
            {
                "id": 3 * (4_000_000 + number) + line,
                "item_id": 61_965 + line,
                "name": "A merino crew sock, grey",
                "sku": item["sku"],
                "price": "17.25",
                "quantity": 1,
                "quantity_good": int(counted),
                "quantity_damaged": 0,
                "description": item["return_reason"],
                "extended_description": None,
                "return_action": "no_action_required",
                "order_item_id": None,
                "lot_ids": [],
                "lot_numbers": [],
            }
            for line, item in enumerate(ROW["line_items"][: 1 + number % 3])
        ],
        "exchange_order": None,
        "order": ORDER,
    }


def loop_text(number: int, receipts_open: bool) -> str:
    """The JSON of `loop_row`."""
    return _loop_template(*_look(number), receipts_open) % {"id": FIRST + number, "number": number, "padded": f"{number:08}"}


def whiplash_text(number: int) -> str | None:
    """The JSON of `whiplash_row`."""
    template = _whiplash_template(*_look(number))
    line = 3 * (4_000_000 + number)
    values = {"id": FIRST + number, "padded": f"{number:08}", "rma": 2_000_000 + number, "originator": 1_000_000 + number}
    return template and template % {**values, "line0": line, "line1": line + 1, "line2": line + 2}


def _look(number: int) -> tuple[str, int]:
    """All that tells the row of one number from that of another, but for the ids in it."""
    return kind_of(number), number % 9


@cache
def _loop_template(kind: str, turn: int, receipts_open: bool) -> str:
    number = next(number for number in range(turn, 9_000_000, 9) if kind_of(number) == kind)
    return _template(
        loop_row(number, receipts_open),
        {f'"{FIRST + number}"': '"%(id)d"', f'"#{number}"': '"#%(number)d"', f'"3SLWX{number:08}"': '"3SLWX%(padded)s"'},
    )


@cache
def _whiplash_template(kind: str, turn: int) -> str | None:
    number = next(number for number in range(turn, 9_000_000, 9) if kind_of(number) == kind)
    row = whiplash_row(number)
    ids = {f'"id": {3 * (4_000_000 + number) + line},': f'"id": %(line{line})d,' for line in range(3)}
    ids |= {f'"id": {2_000_000 + number},': '"id": %(rma)d,', f'"id": {1_000_000 + number},': '"id": %(originator)d,'}
    ids |= {f'"{FIRST + number}"': '"%(id)d"', f'"3SLWX{number:08}"': '"3SLWX%(padded)s"'}
    return None if row is None else _template(row, ids)


def _template(row: dict[str, Any], ids: dict[str, str]) -> str:
    text = json.dumps(row).replace("%", "%%")
    for value, name in ids.items():
        text = text.replace(value, name)
    return text


class Feed:
    """Rows of one side, decoded in chunks while the clock of the reconciliation stands still."""

    def __init__(self, numbers: list[int], write: Callable[[int], str | None], decode: Callable[[Any], Any], *, floor: bool) -> None:
        self.numbers, self.write, self.decode, self.floor = numbers, write, decode, floor
        self.paused = self.reading = 0.0
        self.rows = self.size = 0

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self.numbers), CHUNK):
            began = time.process_time()
            texts = [text.encode() for text in map(self.write, self.numbers[start : start + CHUNK]) if text is not None]
            decoded = [self.decode(fast_loads(text)) for text in texts]
            if self.floor:
                floor_began = time.process_time()
                for text in texts:
                    json.loads(text)
                self.reading += time.process_time() - floor_began
            self.rows += len(texts)
            self.size += sum(map(len, texts))
            del texts
            self.paused += time.process_time() - began
            yield from decoded
            began = time.process_time()
            del decoded  # what it takes to free them is not the reconciliation's either
            self.paused += time.process_time() - began


def feeds(count: int, receipts_open: bool, *, floor: bool) -> tuple[Feed, Feed]:
    """Both sides, in different orders."""
    numbers = list(range(count))
    shuffled = numbers[:]
    random.Random(7).shuffle(shuffled)
    return (
        Feed(shuffled, lambda number: loop_text(number, receipts_open), Return.from_dict, floor=floor),
        Feed(numbers, whiplash_text, ConsumerReturn.from_dict, floor=floor),
    )


def speed(count: int, receipts_open: bool) -> dict[str, Any]:
    """CPU seconds of one reconciliation, and of `json.loads` over the same rows."""
    gc.collect()
    returns, consumer_returns = feeds(count, receipts_open, floor=True)
    began = time.process_time()
    report = reconcile(returns, consumer_returns, policy=Policy(), at=NOW)
    spent = time.process_time() - began - returns.paused - consumer_returns.paused
    floor = returns.reading + consumer_returns.reading
    return {
        "returns": count,
        "breaks": len(report.breaks),
        "bytes_a_pair": round((returns.size + consumer_returns.size) / count),
        "reconcile_s": round(spent, 3),
        "json_loads_s": round(floor, 3),
        "ratio": round(spent / floor, 3),
        "us_a_return": round(spent / count * 1e6, 2),
    }


def memory(count: int, receipts_open: bool) -> dict[str, Any]:
    """Bytes a return that a reconciliation adds to the memory of this process at its peak, beyond the rows in hand."""
    reconcile(*feeds(2 * CHUNK, receipts_open, floor=False), policy=Policy(), at=NOW)  # code, caches and rows in hand are not counted
    sides = feeds(count, receipts_open, floor=False)
    gc.collect()
    before = _resident()
    report = reconcile(*sides, policy=Policy(), at=NOW)
    peak = _resident()
    assert len(report.breaks) > 0
    return {"returns": count, "resident_bytes_a_return": round((peak - before) / count, 1)}


def _resident() -> int:
    """The most bytes of memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def traced(count: int, receipts_open: bool) -> dict[str, Any]:
    """The same by tracemalloc: the peak, and what is kept in the end."""
    returns, consumer_returns = feeds(count, receipts_open, floor=False)
    gc.collect()
    tracemalloc.start()
    one_chunk = _chunk_size(receipts_open)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    report = reconcile(returns, consumer_returns, policy=Policy(), at=NOW)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(report.breaks) > 0
    return {
        "traced_returns": count,
        "traced_bytes_a_return_at_peak": round((peak - before - one_chunk) / count, 1),
        "traced_bytes_a_return_kept": round((kept - before) / count, 1),
    }


def _chunk_size(receipts_open: bool) -> int:
    """What one chunk of rows takes while it is made, decoded and handed over."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for feed in feeds(CHUNK, receipts_open, floor=False):
        for _ in feed:
            pass
    return tracemalloc.get_traced_memory()[1] - before


def datacompy_seconds(count: int) -> dict[str, Any]:
    """CPU seconds datacompy takes to compare the key and quantity of each line of both sides."""
    import datacompy
    import pandas

    def table(side: int) -> Any:
        rows = [
            (FIRST + number, item["sku"], 1)
            for number in range(count)
            if side == 0 or kind_of(number) != "missing"
            for item in ROW["line_items"][: 1 + number % 3]
        ]
        frame = pandas.DataFrame(rows, columns=["return_id", "sku", "units"])
        return frame.groupby(["return_id", "sku"], as_index=False).sum()

    loop, whiplash = table(0), table(1)
    compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    gc.collect()
    began = time.process_time()
    found = compare(loop, whiplash, join_columns=["return_id", "sku"], df1_name="loop", df2_name="whiplash")
    only = len(found.df1_unq_rows)
    return {
        "rows_a_side": len(loop),
        "only_in_loop": only,
        "datacompy_s": round(time.process_time() - began, 3),
        "version": datacompy.__version__,
    }


def html(breaks: int) -> dict[str, Any]:
    """CPU seconds the page of so many breaks takes, and its size."""
    report = report_of(breaks)
    began = time.process_time()
    page = report.to_html()
    spent = time.process_time() - began
    return {
        "breaks": len(report.breaks),
        "cases": len(report.cases),
        "html_s": round(spent, 2),
        "megabytes": round(len(page.encode()) / 1e6, 1),
    }


def report_of(breaks: int) -> Report:
    """A report of so many breaks: every return is cancelled, stale, missing, or has goods nobody paid for."""
    numbers = [number for number in range(breaks * 50 + 1000) if kind_of(number) not in ("received", "on its way")][:breaks]
    rows = [ConsumerReturn.from_dict(row) for row in map(whiplash_row, numbers) if row is not None]
    return reconcile([Return.from_dict(loop_row(number, False)) for number in numbers], rows, policy=Policy(), at=NOW)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--returns", type=int, default=1_000_000)
    parser.add_argument("--growth", action="store_true", help="10,000, 100,000 and 1,000,000 returns")
    parser.add_argument("--open-receipts", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--datacompy", action="store_true")
    parser.add_argument("--html", type=int, metavar="BREAKS")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of lines")
    asked = parser.parse_args()
    if asked.html:
        show(html(asked.html), asked.json)
    elif asked.memory:
        show(memory(asked.returns, asked.open_receipts), asked.json)
        show(traced(min(asked.returns, 30_000), asked.open_receipts), asked.json)
    else:
        sizes = (10_000, 100_000, 1_000_000) if asked.growth else (asked.returns,)
        for count in sizes:
            show(speed(count, asked.open_receipts), asked.json)
        if asked.datacompy:
            show(datacompy_seconds(sizes[-1]), asked.json)


def show(found: dict[str, Any], as_json: bool) -> None:
    """Say it at once, since the next may take minutes."""
    found["max_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found) if as_json else "\n".join(f"{name:>30}  {value}" for name, value in found.items()) + "\n", flush=True)


if __name__ == "__main__":
    main()
