"""What the shop sells, and to whom: variants, Whiplash items, orders.

A Whiplash item is a shop's *variant*. SKUs are not unique in Whiplash, so one variant may have several items.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from .clock import Clock

__all__ = ["Catalogue", "Item", "Order", "OrderLine", "Variant"]

_GOODS = ("Boot", "Sandal", "Parka", "Blouse", "Belt", "Scarf", "Satchel", "Jumper", "Trainer", "Cap", "Skirt", "Glove")
_COLOURS = ("Slate", "Ochre", "Moss", "Rust", "Ivory", "Plum")
_SIZES = ("S", "M", "L")
_PEOPLE = ("Ada", "Ben", "Caro", "Dev", "Edda", "Finn", "Gita", "Hal", "Inga", "Jon")


@attrs.frozen(kw_only=True)
class Variant:
    """One thing one can buy. `price` in major units. Shop ids are ints of 13 digits."""

    variant_id: int
    product_id: int
    sku: str
    barcode: str
    title: str
    variant_title: str
    price: Decimal


@attrs.frozen(kw_only=True)
class Item:
    """One item in Whiplash. `customer_id`: whose it is."""

    id: int
    sku: str
    scancode: str
    title: str
    description: str
    price: Decimal
    variant_id: int | None
    product_id: int | None
    created_at: datetime
    is_bundle: bool = False
    active: bool = True


@attrs.frozen(kw_only=True)
class OrderLine:
    """One line of an order. `line_id` is the shop's; `order_item_id` Whiplash's."""

    line_id: int
    order_item_id: int
    variant: Variant
    item: Item | None
    quantity: int


@attrs.frozen(kw_only=True)
class Order:
    """One order, as all three systems know it.

    The shop (`shop_id`), Loop (`loop_id`), Whiplash (`whiplash_id`, None when it shipped elsewhere).
    """

    shop_id: int
    loop_id: int
    whiplash_id: int | None
    name: str
    number: int
    email: str
    first_name: str
    last_name: str
    lines: tuple[OrderLine, ...]
    created_at: datetime


class Catalogue:
    """The goods and the orders of one shop; made from the seed."""

    def __init__(self, rng: random.Random, clock: Clock, *, variants: int = 24) -> None:
        self._rng = rng
        self._clock = clock
        self.variants: list[Variant] = []
        self.items: list[Item] = []
        self.orders: list[Order] = []
        self._item_id = rng.randrange(2_000, 60_000)
        self._order_number = rng.randrange(1_000, 90_000)
        self._line_id = 13_000_000_000_000 + rng.randrange(10**11)
        self._order_item_id = rng.randrange(400_000, 900_000)
        product_id = 7_000_000_000_000 + rng.randrange(10**11)
        for index in range(variants):
            if index % len(_SIZES) == 0:
                product_id += rng.randrange(1, 5_000)
                good = f"{_COLOURS[(index // 3) % len(_COLOURS)]} {_GOODS[(index // 3) % len(_GOODS)]}"
            size = _SIZES[index % len(_SIZES)]
            self.add_variant(
                sku=f"{good.replace(' ', '-').upper()}-{size}",
                title=good,
                variant_title=size,
                product_id=product_id,
                price=Decimal(rng.randrange(1_000, 20_000)) / 100,
            )

    def add_variant(
        self,
        *,
        sku: str,
        title: str = "Thing",
        variant_title: str = "One size",
        product_id: int | None = None,
        price: Decimal = Decimal("40.00"),
        items: int = 1,
        barcode: str | None = None,
    ) -> Variant:
        """Add something to sell. `items`: how many Whiplash items carry its SKU: 0 (unknown there), 1, or more (ambiguous)."""
        number = len(self.variants)
        variant = Variant(
            variant_id=40_000_000_000_000 + self._rng.randrange(10**8) * 1_000 + number,
            product_id=product_id if product_id is not None else 7_500_000_000_000 + number,
            sku=sku,
            barcode=_gtin(200_000_000_000 + self._rng.randrange(10**8) * 1_000 + number) if barcode is None else barcode,
            title=title,
            variant_title=variant_title,
            price=price,
        )
        self.variants.append(variant)
        for _ in range(items):
            self.add_item(variant)
        return variant

    def add_item(self, variant: Variant) -> Item:
        """One more Whiplash item with the SKU of this variant."""
        self._item_id += self._rng.randrange(1, 9)
        item = Item(
            id=self._item_id,
            sku=variant.sku,
            scancode=variant.barcode,
            title=variant.title,
            description=variant.variant_title,
            price=variant.price,
            variant_id=variant.variant_id,
            product_id=variant.product_id,
            created_at=self._clock.now() - timedelta(days=200),
        )
        self.items.append(item)
        return item

    def variant(self, sku: str) -> Variant:
        """The variant with this SKU; KeyError if there is none."""
        for variant in self.variants:
            if variant.sku == sku:
                return variant
        raise KeyError(f"nothing is sold under the SKU {sku!r}")

    def items_of(self, sku: str) -> list[Item]:
        """All Whiplash items that carry this SKU."""
        return [item for item in self.items if item.sku == sku]

    def item(self, item_id: int) -> Item | None:
        """The Whiplash item with this id, or None."""
        return next((item for item in self.items if item.id == item_id), None)

    def place_order(self, skus: Sequence[str], *, in_whiplash: bool = True) -> Order:
        """An order that was shipped some days ago. Equal SKUs make one line with a quantity."""
        rng = self._rng
        self._order_number += 1
        lines: list[OrderLine] = []
        for sku in dict.fromkeys(skus):
            self._line_id += rng.randrange(1, 900)
            self._order_item_id += 1
            items = self.items_of(sku)
            lines.append(
                OrderLine(
                    line_id=self._line_id,
                    order_item_id=self._order_item_id,
                    variant=self.variant(sku),
                    item=items[0] if items else None,
                    quantity=list(skus).count(sku),
                )
            )
        first = _PEOPLE[rng.randrange(len(_PEOPLE))]
        number = self._order_number
        order = Order(
            shop_id=5_600_000_000_000 + rng.randrange(10**6) * 100_000 + number,
            loop_id=140_000_000 + rng.randrange(100) * 100_000 + number,
            whiplash_id=90_000_000 + number if in_whiplash else None,
            name=f"#{number}",
            number=number,
            email=f"{first.lower()}.{number}@shopper.example",
            first_name=first,
            last_name="Shopper",
            lines=tuple(lines),
            created_at=self._clock.now() - timedelta(days=rng.randrange(3, 25)),
        )
        self.orders.append(order)
        return order

    def order_by_whiplash_id(self, whiplash_id: int) -> Order | None:
        """The order with this Whiplash id, or None."""
        return next((order for order in self.orders if order.whiplash_id == whiplash_id), None)


def _gtin(twelve: int) -> str:
    """Twelve digits and the GS1 check digit that makes them an EAN-13."""
    digits = [int(digit) for digit in f"{twelve:012d}"]
    total = sum(digit * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{twelve:012d}{(10 - total % 10) % 10}"
