"""Make the screenshots of the documentation: ``python tests/browser/screenshots.py docs/img``."""

from __future__ import annotations

import random
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

sys.path.append(str(Path(__file__).resolve().parent.parent / "reconciliation"))

from playwright.sync_api import sync_playwright
from reconciliation_pairs import NOW, ago, loop_line, loop_row, paid, received, when, whiplash_line, whiplash_row
from report_samples import found

from loop_whiplash.planning.model import Acknowledged, Act, Journal
from loop_whiplash.reconciliation import Report, SideReport, reconcile

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1",
]  # fmt: skip
GOODS = (
    ("BOOT-M", "Slate boot, M", "129.00"),
    ("SOCK-38", "Merino sock, 38", "17.25"),
    ("BELT-95", "Leather belt, 95", "49.90"),
    ("CAP-ONE", "Wool cap", "32.00"),
)


def rows(seed: int = 7, count: int = 420) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[int, Journal]]:
    """A month of a shop: most returns are well, some are not."""
    dice = random.Random(seed)
    loop, whiplash, journals = [], [], {}
    for return_id in range(110_139_000, 110_139_000 + count):
        goods = dice.choices(GOODS, k=dice.choice((1, 1, 2, 3)))
        age = dice.uniform(1, 12)
        lines = [
            loop_line(f"{return_id}{n}", sku, title=title, price=price, refund=price, variant_id=str(sum(map(ord, sku))))
            for n, (sku, title, price) in enumerate(goods)
        ]
        total = f"{sum(float(price) for _, _, price in goods):.2f}"
        row = loop_row(
            return_id,
            line_items=lines,
            return_total=total,
            created_at=ago(age + 3),
            updated_at=ago(age),
            label_updated_at=ago(age),
            labels=[],
            order_name=f"#{dice.randrange(20_000, 21_999)}",
            tracking_number=f"3SLWX{return_id}",
            currency=dice.choice(("EUR", "EUR", "EUR", "GBP")),
        )
        announced = [whiplash_line(return_id % 10**6 * 10 + n, sku, 1900 + sum(map(ord, sku))) for n, (sku, _, _) in enumerate(goods)]
        rma = whiplash_row(
            return_id,
            48_000 + return_id % 1000,
            return_items=announced,
            created_at=ago(age + 2),
            updated_at=ago(age),
            tracking=f"3SLWX{return_id}",
        )
        counted = [{**line, "quantity_good": 1} for line in announced]
        turn = dice.random()
        if turn < 0.55:
            row |= paid(age)
            rma |= received(age + 1, return_items=counted)
        elif turn < 0.60:
            rma = {}
        elif turn < 0.63:
            row |= paid(dice.uniform(22, 60))
        elif turn < 0.67:
            rma |= received(age, return_items=[*counted[:-1], {**counted[-1], "quantity_good": 0, "quantity_damaged": 1}])
        elif turn < 0.70:
            rma |= received(age / 4, return_items=counted)
        elif turn < 0.72:
            row |= {"label_updated_at": ago(dice.uniform(15, 28)), "created_at": ago(30)}
        elif turn < 0.74:
            row |= {"state": "review", "updated_at": ago(dice.uniform(8, 20))}
            rma |= received(21, return_items=counted)
        elif turn < 0.75:
            row |= {"state": "cancelled"}
        elif turn < 0.76:
            row |= {"state": "expired"}
            rma |= received(age, return_items=counted)
        elif turn < 0.77:
            journals[return_id] = Journal(
                process=Act(phase="failed", sends=1, began_at=when(age), settled_at=when(age), reason="exchange is out of stock")
            )
            rma |= received(age + 1, return_items=counted)
        journals.setdefault(return_id, Journal(found_by="webhook" if dice.random() < 0.98 else "sweep", first_seen_at=when(age + 2)))
        loop.append(row)
        whiplash += [rma] if rma else []
    whiplash.append(whiplash_row(None, 48_991, status=25, arrived_at=ago(6), return_items=[whiplash_line(7, "CAP-ONE", good=1)]))
    return loop, whiplash, journals


def report() -> Report:
    """The report of that month, with a last run to compare with and one break a person took note of."""
    made = reconcile(*rows()[:2], at=NOW, journals=rows()[2])
    word = Acknowledged(until=NOW + timedelta(days=3), by="Ann", note="the carrier is searching")
    breaks = [
        attrs.evolve(each, acknowledged=word) if each.code == "IN_TRANSIT_STALE" and (each.return_id or 0) % 2 else each
        for each in made.breaks
    ]
    sides = [attrs.evolve(side, since=when(30), until=NOW) for side in made.sides]
    before = Report(at=NOW, breaks=[*[each for each in breaks if each.since and each.since < when(1.5)][::2], found("ITEMS_DRIFT")])
    return attrs.evolve(made, breaks=breaks, sides=sides, actions={"CreateRma": 4, "Process": 11, "Flag": 1}).compared_to(before)


def blind() -> Report:
    """The same where Whiplash stopped answering."""
    problems = ["reading stopped after 118 rows: GET /consumer_returns answered 502 three times"]
    sides = [
        SideReport(name="Loop", rows=420, since=when(30), until=NOW),
        SideReport(name="Whiplash", rows=118, complete=False, problems=problems),
    ]
    unread = found(
        "SOURCE_INCOMPLETE", None, days=0, money=None, order_name=None, loop_says="", whiplash_says="", reason=f"Whiplash: {problems[0]}"
    )
    return attrs.evolve(report(), sides=sides, breaks=[unread], unjudged=302, flow=None, cases={}, actions={}, previous=None)


def main(folder: Path) -> None:
    """The page wide and narrow, light and dark, a case unfolded, and a page that could not look."""
    folder.mkdir(parents=True, exist_ok=True)
    page_file = folder / "page.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, made, width, height, scheme, words in (
            ("wide-light", report(), 1180, 1420, "light", ""),
            ("wide-dark", report(), 1180, 1420, "dark", ""),
            ("narrow-light", report(), 390, 1500, "light", ""),
            ("narrow-dark", report(), 390, 1500, "dark", ""),
            ("case-wide", report(), 1180, 760, "light", "110139153"),
            ("case-narrow", report(), 390, 1500, "dark", "110139153"),
            ("incomplete", blind(), 1180, 900, "light", ""),
        ):
            page_file.write_text(made.to_html(), encoding="utf-8")
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.resolve().as_uri())
            if words:
                page.fill("input[name=q]", words)
                page.wait_for_timeout(300)
                page.locator(".entry").first.click()
                page.mouse.move(0, 0)
                page.locator("#worklist").screenshot(path=str(folder / f"report-{name}.png"))
            else:
                page.screenshot(path=str(folder / f"report-{name}.png"))
            page.close()
        browser.close()
    page_file.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
