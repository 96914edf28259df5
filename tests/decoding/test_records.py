"""A record is a plain frozen value, however it was made: by decoding, by hand, or by somebody's subclass."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any

import attrs
import pytest

from fixture_files import fixture, fixture_bytes
from loop_whiplash import ConsumerReturn, DecodeError, LineItem, Return
from loop_whiplash.decoding import Record, converter
from loop_whiplash.loop import models as loop_models
from loop_whiplash.whiplash import models as whiplash_models

MODELS = sorted(
    {
        found
        for module in (loop_models, whiplash_models)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Record) and found is not Record
    },
    key=lambda model: model.__name__,
)


def smallest(model: type[Record]) -> dict[str, Any]:
    """The least that a model takes."""
    names = {"id", "line_item_id"} & {each.name for each in attrs.fields(model)}
    return dict.fromkeys(sorted(names), 1)


@pytest.mark.parametrize("model", MODELS)
def test_a_record_is_frozen_small_and_travels(model: type[Record]) -> None:
    found = model.from_dict(smallest(model))
    assert type(found) is model
    assert not hasattr(found, "__dict__")
    name = attrs.fields(model)[-1].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(found, name, None)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        delattr(found, name)
    with pytest.raises((AttributeError, attrs.exceptions.FrozenInstanceError)):
        found.not_a_field = 1  # type: ignore[attr-defined]
    for travelled in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found), attrs.evolve(found)):
        assert type(travelled) is model
        assert travelled == found
        assert travelled.raw == found.raw
    assert model.__name__ in repr(found)
    assert model.__doc__
    assert model.from_json(b"{%s}" % ", ".join(f'"{key}": {value}' for key, value in smallest(model).items()).encode()) == found


def test_a_decoded_record_equals_one_made_by_hand() -> None:
    decoded = LineItem.from_dict({"line_item_id": 5, "sku": "A", "price": "1.50", "new": True})
    made = LineItem(line_item_id="5", sku="A", price=Decimal("1.50"))
    assert decoded == made
    assert hash(decoded) == hash(made)
    assert {decoded: 1}[made] == 1
    assert decoded != LineItem(line_item_id="6", sku="A", price=Decimal("1.50"))
    assert decoded != ("5", "A")


def test_where_it_came_from_does_not_make_it_another_value() -> None:
    assert Return.from_dict({"id": 1, "x": 1}) == Return.from_dict({"id": "1", "x": 2})
    assert hash(Return.from_dict(fixture("return_list_row"))) == hash(Return.from_json(fixture_bytes("return_list_row")))


def test_unknown_fields_stay_within_reach_at_every_level() -> None:
    payload = {"id": 1, "is_warranty": True, "line_items": [{"line_item_id": 2, "grade": {"a": 1}}]}
    found = Return.from_dict(payload)
    assert found.raw is payload
    assert found.line_items[0].raw["grade"] == {"a": 1}
    assert not hasattr(found, "is_warranty")


def test_two_records_share_nothing() -> None:
    one, other = Return.from_dict({"id": 1}), Return.from_dict({"id": 2})
    assert (one.id, other.id, one.raw, other.raw) == (1, 2, {"id": 1}, {"id": 2})
    failing: list[Any] = [{"id": 3, "line_items": [{"line_item_id": 1}, {"line_item_id": []}]}]
    with pytest.raises(DecodeError):
        Return.from_dict(failing[0])
    assert Return.from_dict({"id": 4}).line_items == ()


# ------------------------------------------------------------------------------------------- subclasses of one's own


class Plain(Return):
    """Adds a method."""

    @property
    def units(self) -> int:
        return len(self.line_items)


@attrs.frozen(kw_only=True)
class WithField(Return):
    """Adds a field of its own."""

    shop: str = "main"


@attrs.frozen(kw_only=True)
class WithStep(Return):
    """Adds a step after it was made."""

    def __attrs_post_init__(self) -> None:
        if not self.line_items:
            raise ValueError("no lines")


@pytest.mark.parametrize("model", [Plain, WithField])
def test_a_subclass_decodes_as_itself(model: type[Return]) -> None:
    found = model.from_dict(fixture("return_list_row"))
    assert type(found) is model
    plain = Return.from_dict(fixture("return_list_row"))
    for each in attrs.fields(Return):
        assert getattr(found, each.name) == getattr(plain, each.name), each.name
    assert pickle.loads(pickle.dumps(found)) == found
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.id = 5  # type: ignore[misc]


def test_what_a_subclass_adds_is_there() -> None:
    assert Plain.from_dict(fixture("return_list_row")).units == 3
    assert WithField.from_dict({"id": 1}).shop == "main"
    assert WithStep.from_dict({"id": 1, "line_items": [{"line_item_id": 1}]}).id == 1
    with pytest.raises(ValueError, match="no lines"):
        WithStep.from_dict({"id": 1})


# ------------------------------------------------------------------------------------------------------------ cattrs


def test_the_converter_structures_records_through_their_tables() -> None:
    rows = [{"id": 1, "price": "2.50"}, {"id": "2"}]
    assert converter.structure(rows, list[whiplash_models.Item]) == [whiplash_models.Item.from_dict(row) for row in rows]
    assert converter.structure(fixture("consumer_return"), ConsumerReturn) == ConsumerReturn.from_dict(fixture("consumer_return"))
