"""How fast a return of about 4 KB is decoded, beside pydantic v2 doing the same and doing less.

    python benchmarks/decode.py [--rounds 60] [--json]

Three decoders of the same bytes, in interleaved rounds of one process; medians over rounds, of the times and of the ratios:

* ours: frozen classes, full tolerance, `.raw` kept;
* pydantic, tolerant: `model_validate_json` of frozen models with the same tolerance (validators, aliases, extras kept);
* pydantic, plain: `model_validate_json` of models that take exactly this payload and nothing else.

Needs `pydantic` beside the library (it is in the extra `[bench]`); orjson is used if it is installed.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from loop_whiplash.decoding.json_text import orjson
from loop_whiplash.loop.models import Return

PAYLOAD = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "return_list_row.json"
TARGET_TOLERANT, TARGET_PLAIN = 0.85, 1.5

# ------------------------------------------------------------------------------------------------ pydantic, tolerant


def _nothing(value: Any) -> Any:
    return None if value == "" or value == "N/A" else value


def _ident(value: Any) -> Any:
    if value is None or value == "" or value == "N/A":
        return None
    return str(value) if type(value) is int else value


def _soft(value: Any) -> Any:
    if value is None or value == "" or value == "N/A":
        return None
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


Text = Annotated[str | None, BeforeValidator(_nothing)]
Ident = Annotated[str | None, BeforeValidator(_ident)]
Money = Annotated[Decimal | None, BeforeValidator(_nothing)]
When = Annotated[datetime | None, BeforeValidator(_soft)]


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class TolerantOutcomes(_Tolerant):
    return_processed: When = None
    refund_processed: When = None
    gift_card_processed: When = None
    exchange_processed: When = None


class TolerantLine(_Tolerant):
    line_item_id: Ident
    provider_line_item_id: Ident = None
    product_id: Ident = None
    variant_id: Ident = None
    sku: Text = None
    barcode: Text = None
    title: Text = None
    price: Money = None
    discount: Money = None
    tax: Money = None
    refund: Money = None
    refund_item: Money = None
    refund_tax: Money = None
    returned_at: When = None
    exchange_variant: Ident = None
    return_reason: Text = Field(default=None, validation_alias=AliasChoices("return_reason", "reason"))
    parent_return_reason: Text = Field(default=None, validation_alias=AliasChoices("parent_return_reason", "parent_reason"))
    return_comment: Text = None
    outcome: Text = None
    provider_restock_location_id: Ident = None
    consolidation_tracking: Text = None
    consolidation_destination_id: Ident = None
    condition: dict[str, Any] | None = None
    disposition: dict[str, Any] | None = None


class TolerantExchange(_Tolerant):
    exchange_id: Ident = None
    exchange_order_id: Ident = None
    exchange_order_name: Text = None
    product_id: Ident = None
    variant_id: Ident = None
    sku: Text = None
    type: Text = None
    title: Text = None
    price: Money = None
    discount: Money = None
    tax: Money = None
    total: Money = None
    out_of_stock: bool | None = None
    out_of_stock_resolution: Text = None


class TolerantLabel(_Tolerant):
    status: Text = None
    updated_at: When = None
    url: Text = None
    rate: int | None = None
    carrier: Text = None
    tracking_number: Ident = None
    line_items: list[Ident] = []


class TolerantReturn(_Tolerant):
    id: int
    refund_before_inspection: bool | None = None
    state: Text = None
    was_processed: bool | None = None
    outcomes_processed_at: TolerantOutcomes | None = None
    created_at: When = None
    updated_at: When = None
    edited_at: When = None
    type: Text = None
    total: Money = None
    outcome: Text = None
    order_id: Ident = None
    order_name: Text = None
    provider_order_id: Ident = None
    order_number: Text = None
    provider_order_number: Ident = None
    customer: Text = None
    origin_country: Text = None
    origin_country_code: Text = None
    multi_currency: bool | None = None
    currency: Text = None
    return_product_total: Money = None
    return_discount_total: Money = None
    return_tax_total: Money = None
    return_total: Money = None
    return_credit_total: Money = None
    exchange_product_total: Money = None
    exchange_discount_total: Money = None
    exchange_tax_total: Money = None
    exchange_total: Money = None
    exchange_credit_total: Money = None
    gift_card: Money = None
    gift_card_order_name: Text = None
    gift_card_order_id: Ident = None
    handling_fee: Money = None
    refund: Money = None
    upsell: Money = None
    line_items: list[TolerantLine] = []
    exchanges: list[TolerantExchange] = []
    carrier: Text = None
    tracking_number: Ident = None
    label_status: Text = None
    label_updated_at: When = None
    label_url: Text = None
    label_rate: int | None = None
    status_page_url: Text = None
    destination_id: Ident = None
    return_method: dict[str, Any] | None = None
    package_reference: Text = None
    labels: list[TolerantLabel] = []


# --------------------------------------------------------------------------------------------------- pydantic, plain


class PlainOutcomes(BaseModel):
    return_processed: datetime | None
    refund_processed: datetime | None
    gift_card_processed: datetime | None
    exchange_processed: datetime | None


class PlainLine(BaseModel):
    line_item_id: str
    provider_line_item_id: str
    product_id: str
    variant_id: str
    sku: str
    barcode: str
    title: str
    price: Decimal
    discount: Decimal
    tax: Decimal
    refund: Decimal
    refund_item: Decimal
    refund_tax: Decimal
    returned_at: datetime
    exchange_variant: str
    return_reason: str
    parent_return_reason: str | None
    return_comment: str
    outcome: str
    provider_restock_location_id: str | None
    consolidation_tracking: str | None
    consolidation_destination_id: str | None
    condition: dict[str, Any] | None
    disposition: dict[str, Any] | None


class PlainExchange(BaseModel):
    exchange_id: str
    exchange_order_id: str | None
    exchange_order_name: str | None
    product_id: str
    variant_id: str
    sku: str
    type: str
    title: str
    price: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    out_of_stock: bool
    out_of_stock_resolution: str | None


class PlainLabel(BaseModel):
    status: str
    updated_at: datetime
    url: str
    rate: int
    carrier: str
    tracking_number: str
    line_items: list[int]


class PlainReturn(BaseModel):
    id: int
    refund_before_inspection: bool
    state: str
    was_processed: bool
    outcomes_processed_at: PlainOutcomes
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
    type: str
    total: Decimal
    outcome: str
    order_id: str
    order_name: str
    provider_order_id: str
    order_number: str
    provider_order_number: str
    customer: str
    origin_country: str
    origin_country_code: str
    multi_currency: bool
    currency: str
    return_product_total: Decimal
    return_discount_total: Decimal
    return_tax_total: Decimal
    return_total: Decimal
    return_credit_total: Decimal
    exchange_product_total: Decimal
    exchange_discount_total: Decimal
    exchange_tax_total: Decimal
    exchange_total: Decimal
    exchange_credit_total: Decimal
    gift_card: Decimal
    gift_card_order_name: str | None
    gift_card_order_id: str | None
    handling_fee: Decimal
    refund: Decimal
    upsell: Decimal
    line_items: list[PlainLine]
    exchanges: list[PlainExchange]
    carrier: str
    tracking_number: str
    label_status: str
    label_updated_at: datetime
    label_url: str
    label_rate: int
    status_page_url: str
    destination_id: int
    return_method: dict[str, Any] | None
    package_reference: str | None
    labels: list[PlainLabel]


# ------------------------------------------------------------------------------------------------------- measurement


def measure(decoders: dict[str, Callable[[bytes], Any]], body: bytes, *, rounds: int, seconds: float = 0.004) -> dict[str, list[float]]:
    """The seconds of processor time that one decode takes, round by round.

    The decoders take turns, so that a busy machine slows all alike.
    """
    calls = {}
    for name, decode in decoders.items():
        decode(body)
        began = time.process_time()
        for _ in range(50):
            decode(body)
        calls[name] = max(1, int(seconds / ((time.process_time() - began) / 50)))
    taken: dict[str, list[float]] = {name: [] for name in decoders}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            names = list(decoders) if turn % 2 else list(reversed(decoders))
            for name in names:
                decode, count = decoders[name], calls[name]
                began = time.process_time()
                for _ in range(count):
                    decode(body)
                taken[name].append((time.process_time() - began) / count)
    finally:
        gc.enable()
    return taken


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    body = json.dumps(json.loads(PAYLOAD.read_bytes()), ensure_ascii=False, separators=(",", ":")).encode()
    taken = measure(
        {"ours": Return.from_json, "tolerant": TolerantReturn.model_validate_json, "plain": PlainReturn.model_validate_json},
        body,
        rounds=options.rounds,
    )
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratios = {
        f"of_{peer}": statistics.median(ours / theirs for ours, theirs in zip(taken["ours"], taken[peer], strict=True))
        for peer in ("tolerant", "plain")
    }
    if options.json:
        print(json.dumps({"bytes": len(body), "seconds": medians, "ratios": ratios}))
    else:
        print(f"{len(body)} bytes, pydantic {pydantic.VERSION}, {'orjson' if orjson else 'json of the standard library'}")
        for name, seconds in medians.items():
            print(f"  {name:<9} {seconds * 1e6:8.1f} µs")
        print(f"  ours / tolerant = {ratios['of_tolerant']:.2f} (target {TARGET_TOLERANT})")
        print(f"  ours / plain    = {ratios['of_plain']:.2f} (target {TARGET_PLAIN})")
    return 0 if ratios["of_tolerant"] <= TARGET_TOLERANT and ratios["of_plain"] <= TARGET_PLAIN else 1


if __name__ == "__main__":
    raise SystemExit(main())
