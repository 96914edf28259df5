"""Loop's return, as what is expected back: an `Rma`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from loop_whiplash.decoding import is_nothing
from loop_whiplash.errors import ConfigurationError
from loop_whiplash.loop.models import Label, LineItem, Return
from loop_whiplash.redaction import kind_of

from .model import ExpectedUnit, Rma

_NEVER = datetime.min.replace(tzinfo=UTC)
_FAILED_LABELS = frozenset({"error", "failure"})
# Outcomes whose whole value goes back as money; None, as webhooks give no outcome of the return.
_ONLY_REFUNDED = frozenset({"refund", None})


def to_rma(return_: Return) -> Rma:
    """What is expected back for one Loop return.

    One line item is one unit; lines that were removed (they linger with their amounts zeroed and no `returned_at`) are
    left out. A line's own outcome counts unless it is ``default``, which means the return's.

    `value` is what *process* releases for the unit. Where the outcome is a refund, that is the line's `refund` (fees
    taken off). Where goods or credit go out, alone or beside a refund, it is what the unit was worth: price − discount
    + tax, since the refund of such a line is only what the exchange left over. Negative worth reads None.

    Example:
        >>> rma = to_rma(Return.from_dict({"id": 7, "state": "open", "outcome": "credit", "line_items": [
        ...     {"line_item_id": 1, "sku": "A", "price": "10.00", "discount": "2.00", "tax": "0.50", "outcome": "default"}]}))
        >>> rma.units[0].value, rma.units[0].outcome
        (Decimal('8.50'), 'credit')
    """
    if not isinstance(return_, Return):
        raise ConfigurationError(f"to_rma() takes a Return; of a payload, Return.from_dict() makes one; it got {kind_of(return_)}")
    units = tuple(_unit(line, return_) for line in return_.line_items if not is_removed(line))
    times = return_.outcomes_processed_at
    released = [
        at
        for at in (times.return_processed, times.refund_processed, times.gift_card_processed, times.exchange_processed)
        if at is not None
    ] if times else []  # fmt: skip
    current = _current_label(return_)
    statuses = _distinct([label.status for label in return_.labels] + [return_.label_status])
    label_times = [label.updated_at for label in return_.labels] + [return_.label_updated_at]
    return Rma(
        return_id=return_.id,
        units=units,
        state=return_.state or "unknown",
        currency=return_.currency,
        outcome=return_.outcome,
        was_processed=return_.was_processed,
        released_at=min(released, default=None),
        refund_before_inspection=return_.refund_before_inspection,
        created_at=return_.created_at,
        updated_at=return_.updated_at,
        order_id=return_.order_id,
        provider_order_id=return_.provider_order_id,
        order_name=return_.order_name,
        carrier=current.carrier or return_.carrier if current else return_.carrier,
        tracking=current.tracking_number if current else return_.tracking_number,
        trackings=_distinct([label.tracking_number for label in return_.labels] + [return_.tracking_number]),
        label_statuses=tuple(status for status in statuses if status != "no_label"),
        label_updated_at=max((at for at in label_times if at), default=None),
        destination_id=return_.destination_id,
        method=_method(return_),
        total=_total(return_, units),
        sender=_sender(return_),
    )


def is_removed(line: LineItem) -> bool:
    """A line that was taken out of its return: `returned_at` is null and each amount that is given is zero.

    A `returned_at` that is there but cannot be read is no sign of removal, nor is a line whose amounts are not given.
    """
    amounts = [amount for amount in (line.price, line.discount, line.tax, line.refund) if amount is not None]
    return line.returned_at is None and is_nothing(line.raw.get("returned_at")) and bool(amounts) and not any(amounts)


def _unit(line: LineItem, return_: Return) -> ExpectedUnit:
    outcome = line.outcome if line.outcome and line.outcome != "default" else return_.outcome
    return ExpectedUnit(
        line_id=line.line_item_id,
        sku=line.sku,
        barcode=line.barcode,
        variant_id=line.variant_id,
        product_id=line.product_id,
        value=_value(line, outcome),
        outcome=outcome,
        title=line.title,
        reason=line.return_reason or line.parent_return_reason,
        destination_id=line.consolidation_destination_id or return_.destination_id,
    )


def _value(line: LineItem, outcome: str | None) -> Decimal | None:
    worth = None if line.price is None else line.price - (line.discount or Decimal(0)) + (line.tax or Decimal(0))
    if line.refund is not None and line.refund > 0 and (worth is None or outcome in _ONLY_REFUNDED):
        return line.refund
    return worth if worth is not None and worth >= 0 else None


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _current_label(return_: Return) -> Label | None:
    """The label the parcel most likely travels under: the newest with a tracking number, one that failed only if there is no other."""
    tracked = [label for label in return_.labels if label.tracking_number]
    return max(tracked, key=lambda label: (label.status not in _FAILED_LABELS, label.updated_at or _NEVER), default=None)


def _total(return_: Return, units: tuple[ExpectedUnit, ...]) -> Decimal | None:
    total = return_.return_total
    if total is None:
        # A sum without the lines whose worth is not known would pass below a limit that the whole does not.
        values = [unit.value for unit in units if unit.value is not None]
        total = sum(values, Decimal(0)) if values and len(values) == len(units) else None
    # Money and credit may be more than the goods were worth: shipping that is paid back, a bonus on store credit.
    paid_out = (return_.refund or Decimal(0)) + (return_.gift_card or Decimal(0))
    return None if total is None else max(total, paid_out)


def _method(return_: Return) -> str | None:
    method = return_.return_method
    return None if method is None else method.method_type or method.provider


def _sender(return_: Return) -> str | None:
    names = " ".join(name for name in (return_.customer_first_name, return_.customer_last_name) if name)
    if names:
        return names
    return return_.address.name if return_.address is not None else None
