"""The fuzzers' targets, without a fuzzer: over their seeds, over a few hundred mutations, and over all that once broke them."""

from __future__ import annotations

import random
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from loop_whiplash.errors import DecodeError, MalformedPayload
from loop_whiplash.loop.models import Return
from loop_whiplash.loop.webhooks import parse_loop_webhook, sign_loop

sys.path.append(str(Path(__file__).resolve().parents[2] / "fuzz"))

from seeds import mutated, seeds
from targets import TARGETS

#: How many mutations of the seeds each target gets; the fuzzers give it millions.
MUTATIONS = {"loop_webhook": 300, "whiplash_webhook": 300, "json_text": 600, "decoders": 600, "report": 60}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds_and_for_mutations_of_them(name: str) -> None:
    target, first, dice = TARGETS[name], seeds(name), random.Random(name)
    for data in first:
        target(data)
    for _ in range(MUTATIONS[name]):
        target(mutated(dice.choice(first), dice))


#: What broke a target once, and which.
ONCE = [
    # A number beyond 64 bits was refused in one field table and taken in the other.
    ("decoders", b'\x06{"id": 7, "sku": "A", "quantity": 10000000000000000000000000000000000000000}'),
    # Half a surrogate pair under a key that comes again: one reader of JSON refused it, the other never saw it.
    ("json_text", rb'{"a": "\ude00", "a": 1}'),
    # The number 0 was no text on the fast way, and the text "0" on the long one, which an amount such as 5.0 brings about.
    ("decoders", b'\x01{"id": 5.0, "originator": {"original_id": 5.0}, "return_items": [{"id": 1, "lot_numbers": 0}]}'),
]


@pytest.mark.parametrize(("name", "data"), ONCE)
def test_what_once_broke_a_target_does_so_no_more(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest.mark.parametrize("number", [10**18, 2**63, 10**40, 10**4000])
def test_an_id_that_no_ledger_can_hold_is_no_id(number: int) -> None:
    payload = {"id": number, "state": "open"}
    with pytest.raises(DecodeError):
        Return.from_dict(payload)
    body = (
        b'{"topic": "return", "trigger": "return.updated", "id": %d}' % number
        if number < 10**4000
        else b'{"topic":"return","id":1' + b"0" * 4000 + b"}"
    )
    with pytest.raises(MalformedPayload):
        parse_loop_webhook(body, sign_loop(body, "s"), ["s"])


@pytest.mark.parametrize("lines", [0, False, 0.0])
def test_lines_that_are_no_list_are_not_taken_for_none_at_all(lines: object) -> None:
    with pytest.raises(DecodeError):
        Return.from_dict({"id": 7, "state": "open", "line_items": lines})


@pytest.mark.parametrize("price", ["1_0.00", "1__.10", "٦٩.95"])
def test_an_amount_is_written_in_plain_digits(price: str) -> None:
    with pytest.raises(DecodeError):
        Return.from_dict({"id": 7, "line_items": [{"line_item_id": "1", "price": price}]})
    assert Return.from_dict({"id": 7, "line_items": [{"line_item_id": "1", "price": " 10.00"}]}).line_items[0].price == Decimal("10.00")
