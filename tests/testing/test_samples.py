"""Sample payloads are what the vendors document, fit together, and come signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import loop_whiplash.testing
from loop_whiplash import (
    ConsumerReturn,
    ConsumerReturnEvent,
    InvalidSignature,
    LabelEvent,
    ProcessingFailed,
    Return,
    ReturnEvent,
    Verdict,
    match,
    parse_loop_webhook,
    parse_whiplash_webhook,
    to_receipt,
    to_rma,
)
from loop_whiplash.testing import (
    Sample,
    loop_label_webhook,
    loop_processing_failed_webhook,
    loop_return_details,
    loop_return_row,
    loop_return_webhook,
    sign_loop,
    whiplash_consumer_return,
    whiplash_consumer_return_webhook,
)
from shared_reference import payload

SAMPLES: dict[str, Callable[..., Sample]] = {
    name: getattr(loop_whiplash.testing, name) for name in loop_whiplash.testing.__all__ if name.startswith(("loop_", "whiplash_"))
}
KINDS = {
    "loop_label_webhook": LabelEvent,
    "loop_processing_failed_webhook": ProcessingFailed,
    "loop_return_webhook": ReturnEvent,
    "whiplash_consumer_return_webhook": ConsumerReturnEvent,
}


def parsed(sample: Sample, secret: str = "secret") -> Any:
    parse = parse_loop_webhook if sample.system == "loop" else parse_whiplash_webhook
    return parse(sample.body, sample.headers(secret), [secret])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_where_its_shape_is_documented(name: str) -> None:
    sample = SAMPLES[name]()
    assert "https://" in sample.provenance
    assert json.loads(sample.body) == sample.payload


@pytest.mark.parametrize("name", KINDS)
def test_a_webhook_is_signed_as_its_vendor_signs(name: str) -> None:
    sample = SAMPLES[name]()
    assert type(parsed(sample)) is KINDS[name]
    parse = parse_loop_webhook if sample.system == "loop" else parse_whiplash_webhook
    with pytest.raises(InvalidSignature):
        parse(sample.body, sample.headers("another"), ["secret"])


def test_all_samples_tell_of_the_same_return() -> None:
    row, details = (Return.from_dict(make().payload) for make in (loop_return_row, loop_return_details))
    consumer_return = ConsumerReturn.from_dict(whiplash_consumer_return().payload)
    events = [parsed(make()) for make in (loop_return_webhook, loop_label_webhook, loop_processing_failed_webhook)]
    assert {row.id, details.id, *(event.return_id for event in events)} == {row.id}
    assert consumer_return.originator is not None
    assert consumer_return.originator.original_id == str(row.id)
    assert parsed(whiplash_consumer_return_webhook()).consumer_return.id == consumer_return.id
    assert [unit.sku for unit in to_rma(row).units] == [unit.sku for unit in to_rma(details).units]


@pytest.mark.parametrize(
    ("counted", "verdict"),
    [({}, Verdict.PROCESS), ({"short": 1}, Verdict.WAIT), ({"damaged": 1}, Verdict.FLAG), ({"units": 5}, Verdict.PROCESS)],
)
def test_what_was_counted_fits_what_is_expected(counted: dict[str, int], verdict: Verdict) -> None:
    rma = to_rma(Return.from_dict(loop_return_row(units=counted.get("units", 2)).payload))
    receipt = to_receipt(ConsumerReturn.from_dict(whiplash_consumer_return(**counted).payload))
    assert receipt.completed_at is not None
    assert match(rma, [receipt], at=receipt.completed_at).verdict is verdict


def test_a_sample_can_be_changed_without_changing_the_next() -> None:
    assert loop_label_webhook(trigger="label.created", label_status="delivered").payload["label_status"] == "delivered"
    spoiled = loop_return_row().payload
    spoiled["line_items"].clear()
    assert len(loop_return_row().payload["line_items"]) == 2
    sample = loop_return_webhook(state="review", trigger="return.created")
    assert parsed(sample).return_.state == "review"
    older = attrs.evolve(sample, payload={"anything": "else"})
    assert older.headers("s")["X-Loop-Signature"] == sign_loop(older.body, "s")["X-Loop-Signature"]


def test_the_same_sample_has_the_same_bytes_every_time() -> None:
    assert all(make().body == make().body for make in SAMPLES.values())


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("loop_label_webhook", ("loop", "webhook_label_official.json")),
        ("loop_processing_failed_webhook", ("loop", "webhook_return_processing_failed_official.json")),
        ("loop_return_row", ("loop", "list_returns_real_2026-06.json")),
        ("whiplash_consumer_return", ("whiplash", "v2_consumer_return_in_transit.json")),
    ],
)
def test_a_sample_has_the_published_keys_and_none_of_the_published_values(name: str, published: tuple[str, str]) -> None:
    real = payload(*published)
    real = real[0] if isinstance(real, list) else real
    ours = SAMPLES[name]().payload
    assert not set(real) - set(ours), "keys that are published and not in the sample"
    for key in ("id", "return_id", "order_id", "provider_order_id", "shipment_id", "tracking_number"):
        if real.get(key) not in (None, "", "N/A"):
            assert str(ours[key]) != str(real[key])
