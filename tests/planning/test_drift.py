"""Are the lines announced in Whiplash still those of the return in Loop?"""

from __future__ import annotations

from planning_stories import announced, evolve, made, rma, units

from loop_whiplash.planning import Journal
from loop_whiplash.planning.drift import drift
from loop_whiplash.returns.model import Receipt, ReceiptLine

MAP = Journal(create=made(lines={"51": ("L1",), "52": ("L2", "L3")}))


def told(*lines: tuple[int, str | None, int], id: int = 900) -> Receipt:
    return announced(
        id, lines=tuple(ReceiptLine(id=n, item_id=item, sku=sku, quantity=count) for n, (item, sku, count) in enumerate(lines))
    )


def test_by_the_map_stored_at_create() -> None:
    same = told((51, "X", 1), (52, "Y", 2))
    assert drift(rma(units=units(3)), [same], MAP) is None
    assert drift(rma(units=units(3)[::-1]), [told((52, None, 1), (51, None, 1), (52, None, 1))], MAP) is None
    assert drift(rma(units=units(5)), [same], MAP) == "Loop has lines L4, L5 that were not announced"
    assert drift(rma(units=units(1)), [same], MAP) == "lines L2, L3 were announced and are gone in Loop"
    swapped = (*units(2), evolve(units()[0], line_id="L9"))
    assert (
        drift(rma(units=swapped), [same], MAP) == "Loop has lines L9 that were not announced; lines L3 were announced and are gone in Loop"
    )
    assert drift(rma(units=units(3)), [told((51, None, 1), (52, None, 3))], MAP) == "item 52 was announced 2 ×, Whiplash now says 3 ×"
    assert drift(rma(units=units(3)), [told((51, None, 3))], MAP) == "item 51 was announced 1 ×, Whiplash now says 3 ×"
    assert drift(rma(units=units(3)), [told((51, None, 1))], MAP) == "item 52 was announced 2 ×, Whiplash now says 0 ×"


def test_by_sku_where_both_sides_name_all() -> None:
    assert drift(rma(units=units(2)), [told((1, " sku-1 ", 1), (2, "SKU-2", 1))], Journal()) is None
    assert drift(rma(units=units(2)), [told((1, "SKU-1", 2))], Journal()) == "Loop has 1 × sku-2, Whiplash was told of 1 × sku-1"
    twice = (*units(1), evolve(units()[0], line_id="L2"))
    assert drift(rma(units=twice), [told((1, "SKU-1", 1), (1, "SKU-1", 1))], Journal()) is None
    assert drift(rma(units=twice), [told((1, "SKU-1", 1), (2, "B", 1))], Journal()) == "Loop has 1 × sku-1, Whiplash was told of 1 × b"
    assert (
        drift(rma(units=units(2)), [told((1, "A", 1), (2, "B", 1))], Journal())
        == "Loop has 1 × sku-1, 1 × sku-2, Whiplash was told of 1 × a, 1 × b"
    )


def test_by_number_where_some_have_no_sku() -> None:
    assert drift(rma(units=units(2)), [told((1, None, 1), (2, "B", 1))], Journal()) is None
    nameless = (units()[0], evolve(units()[0], line_id="L2", sku=None))
    assert drift(rma(units=nameless), [told((1, "A", 1), (2, "B", 1))], Journal()) is None
    assert drift(rma(units=units(2)), [told((1, None, 3))], Journal()) == "Loop has 2 units, Whiplash was told of 3"


def test_without_lines_there_is_nothing_to_compare() -> None:
    assert drift(rma(), [announced(lines=())], Journal()) is None
    assert drift(rma(), [], MAP) is None


def test_several_parcels_add_up() -> None:
    halves = [told((1, "SKU-1", 1)), told((2, "SKU-2", 1), id=901)]
    assert drift(rma(units=units(2)), halves, Journal()) is None


def test_what_a_person_attached_is_a_half_or_a_stranger() -> None:
    attached = Journal(attached=(901,))
    whole, stranger = told((1, "SKU-1", 1), (2, "SKU-2", 1)), told((9, "Z", 1), id=901)
    assert drift(rma(units=units(2)), [whole, stranger], attached) is None
    assert drift(rma(units=units(2)), [told((1, "SKU-1", 1)), told((2, "SKU-2", 1), id=901)], attached) is None
    assert drift(rma(units=units(3)), [whole, stranger], attached) is not None
    assert drift(rma(units=units(2)), [told((1, "SKU-1", 1)), stranger], attached) == "Loop has 2 units, Whiplash was told of 1"
    assert drift(rma(units=units(2)), [stranger], attached) == "Loop has 2 units, Whiplash was told of 1"
