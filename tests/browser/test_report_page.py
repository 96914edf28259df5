"""The page in a real browser: filter, drill-down, phone and desk, light and dark; nothing leaves it, nothing hostile runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "reconciliation"))

from report_samples import HOSTILE, found, incomplete, sample

from loop_whiplash.reconciliation import Report

CHROMIUM = next((path for path in map(shutil.which, ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")) if path), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Page:
    """One open page, with everything it said and asked for."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def codes(self) -> list[str]:
        return [text.split()[0] for text in self.page.locator(".entry .code").all_inner_texts()]


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[tuple[Page, str]] = []

    def show(report: Report, *, size: dict[str, int] = WIDE, fragment: str = "", scheme: str = "light", **options: Any) -> Page:
        path = tmp_path / f"report-{len(opened)}.html"
        path.write_text(report.to_html(**options), encoding="utf-8")
        page = Page(browser.new_page(viewport=size, color_scheme=scheme), f"{path.as_uri()}{fragment}")
        opened.append((page, path.as_uri()))
        return page

    yield show
    for page, address in opened:
        said, asked = page.said, [url for url in page.asked if not url.startswith((address, "data:"))]
        page.page.close()
        assert said == []
        assert asked == []


def test_the_worklist_comes_in_order_with_its_count(show: Any) -> None:
    page = show(sample())
    assert page.codes() == [
        "MISSING_IN_WMS",
        "REVIEW_STALE",
        "PAID_NOT_RECEIVED",
        "PAID_NOT_RECEIVED",
        "MISSING_IN_WMS",
        "ORPHAN_IN_WMS",
        "IN_TRANSIT_STALE",
        "WEBHOOK_MISSED",
    ]
    assert page.locator("#count").inner_text() == "1 to 8 of 8 breaks"
    assert "7 breaks on 6 returns" in page.locator("#verdict").inner_text()


def test_words_kinds_owners_ages_and_boxes_filter_it(show: Any) -> None:
    page = show(sample())
    page.fill("input[name=q]", "paid")
    sync_api.expect(page.locator(".entry")).to_have_count(2)
    page.fill("input[name=q]", "return-is-nowhere")
    sync_api.expect(page.locator(".empty")).to_have_text("No break matches the filter.")
    page.click("button[type=reset]")
    sync_api.expect(page.locator(".entry")).to_have_count(8)
    page.select_option("select[name=code]", "MISSING_IN_WMS")
    sync_api.expect(page.locator(".entry")).to_have_count(2)
    page.select_option("select[name=bucket]", "8-14")
    sync_api.expect(page.locator(".entry")).to_have_count(1)
    page.click("button[type=reset]")
    page.select_option("select[name=owner]", "carrier")
    sync_api.expect(page.locator(".entry")).to_have_count(1)
    page.uncheck("input[name=acknowledged]")
    sync_api.expect(page.locator(".entry")).to_have_count(0)
    page.click("button[type=reset]")
    page.uncheck("input[name=heals]")
    sync_api.expect(page.locator(".entry")).to_have_count(7)


def test_a_cell_of_the_grid_filters_and_a_second_click_takes_it_back(show: Any) -> None:
    page = show(sample())
    cell = page.locator(".grid button[data-code=MISSING_IN_WMS][data-bucket='2-3']")
    cell.click()
    sync_api.expect(page.locator(".entry")).to_have_count(1)
    assert cell.get_attribute("aria-pressed") == "true"
    cell.click()
    sync_api.expect(page.locator(".entry")).to_have_count(8)


def test_a_break_opens_unit_by_unit_with_its_history(show: Any) -> None:
    page = show(sample())
    entry = page.locator(".entry", has_text="return 1")
    entry.click()
    assert entry.get_attribute("aria-expanded") == "true"
    detail = page.locator(".detail").inner_text()
    for words in (
        "support: Look in Whiplash",
        "no RMA",
        "Missing: 1 × BOOT-M",
        "processes if 1 × BOOT-M",
        "SHORT",
        "The return was made.",
        "Whiplash RMA 501: Counted.",
    ):
        assert words in detail
    rows = [row.inner_text().split("\t") for row in page.locator(".units tbody tr").all()]
    assert [row[0] for row in rows] == ["paired", "missing", "unexpected"]
    assert "sku:BOOT-M" in rows[0]
    entry.click()
    assert page.locator(".detail").count() == 0


def test_an_entry_opens_by_keyboard_alone(show: Any) -> None:
    page = show(sample())
    page.locator(".entry").first.focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator(".detail")).to_have_count(1)


def test_the_address_can_name_a_return(show: Any) -> None:
    page = show(sample(), fragment="#3")
    assert page.codes() == ["REVIEW_STALE", "PAID_NOT_RECEIVED"]
    sync_api.expect(page.locator(".detail")).to_have_count(1)


def test_what_shoppers_typed_stays_text(show: Any) -> None:
    everywhere = found(
        "REVIEW_STALE", 8, order_name=HOSTILE, tracking=HOSTILE, reason=HOSTILE, loop_says=HOSTILE, next_step=HOSTILE, owner=HOSTILE
    )
    page = show(sample(breaks=[everywhere, *sample().breaks]), title=HOSTILE)
    for entry in page.locator(".entry").all():
        entry.click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0
    assert HOSTILE in page.locator("#work").inner_text()
    assert page.evaluate("document.title").startswith(HOSTILE)


def test_a_script_that_got_in_all_the_same_would_not_run(show: Any, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "injected.html"
    path.write_text(
        sample().to_html().replace("</main>", "<script>window.hacked=1</script><img src='https://evil.example/x.png'></main>"),
        encoding="utf-8",
    )
    page = browser.new_page()
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    page.goto(path.as_uri())
    assert page.evaluate("window.hacked") is None
    assert answered == [path.as_uri()]
    page.close()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_a_desk_in_light_and_dark(show: Any, size: dict[str, int], scheme: str) -> None:
    page = show(incomplete(), size=size, scheme=scheme)
    page.locator(".entry", has_text="return 1").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    ink, paper = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
    assert _brightness(paper) > 200 if scheme == "light" else _brightness(paper) < 60
    assert abs(_brightness(ink) - _brightness(paper)) > 150
    assert "NOT READ WHOLE" in page.locator(".side").first.inner_text()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_amounts_and_names_of_any_length_widen_no_page(show: Any, size: dict[str, int]) -> None:
    wide = found(
        "MISSING_IN_WMS", 8, money="1234567890123456789.25", currency="JPY", order_name="W" * 200, tracking="1" * 90, reason="r" * 200
    )
    page = show(sample(breaks=[wide, found("REVIEW_STALE", 9, money="12.00", currency=None)]), size=size)
    page.locator(".entry", has_text="return 8").click()
    assert "1,234,567,890,123,456,789.25 JPY" in page.locator(".tiles").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for tile in page.locator(".tile").all():
        assert tile.evaluate("tile => tile.scrollWidth <= tile.clientWidth")


def _brightness(colour: str) -> float:
    numbers = [float(each) for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


def test_nothing_found_is_said_in_the_worklist_too(show: Any) -> None:
    page = show(sample(breaks=[]))
    assert page.locator("#work").inner_text() == "No breaks: both systems were read whole and agree."


def test_people_are_shown_only_when_asked_for(show: Any) -> None:
    for personal in (False, True):
        page = show(sample(), personal=personal)
        page.locator(".entry", has_text="return 1").click()
        assert ("ann@example.org" in page.locator(".detail").inner_text()) is personal


def test_many_breaks_stay_usable(show: Any) -> None:
    page = show(sample(breaks=[found("REVIEW_STALE", number, days=1 + number % 40) for number in range(1, 20_001)]))
    assert page.locator("#page").inner_text() == "page 1 of 400"
    assert page.locator(".entry").count() == 50
    assert page.locator("#before").is_disabled()
    page.click("#after")
    assert page.locator("#count").inner_text() == "51 to 100 of 20,000 breaks"
    page.fill("input[name=q]", "#19999")
    sync_api.expect(page.locator(".entry")).to_have_count(1, timeout=3000)
