"""How a world shows itself at a prompt, and what it says to a mistake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from loop_whiplash import ConfigurationError
from loop_whiplash.simulator import World
from loop_whiplash.simulator.__main__ import main
from loop_whiplash.testing import async_integration_for, integration_for


def test_what_a_prompt_echoes_is_one_short_line() -> None:
    world = World(seed=7)
    returns = integration_for(world)
    one, two = world.shopper.submit_return(1), world.shopper.submit_return(2)
    assert repr(one) == f"<return {one.id}: open, 1 unit>"
    assert repr(two) == f"<return {two.id}: open, 2 units>"
    world.carrier.scan(two)
    assert [repr(delivery) for delivery in world.deliver(returns)][:2] == [
        f"<loop return/return.created of return {one.id}, attempt 1>: 200",
        f"<loop label/label.created of return {one.id}, attempt 1>: 200",
    ]
    returns.run_due()
    [rma] = world.truth.rmas(two.id)
    assert repr(world.warehouse.receive(two, short=1)) == f"<RMA {rma} of {two.id}: status 300, 1 counted of 2>"


def test_one_sku_need_not_be_in_a_list() -> None:
    world = World(seed=7)
    sku = world.shopper.submit_return(1).skus[0]
    assert world.shopper.submit_return(sku).skus == [sku]


MISTAKES: dict[str, tuple[Callable[[World], object], str]] = {
    "per cent for a share": (lambda world: world.network.lose_replies(30), r"a share from 0 to 1, such as 0\.3 .* got 30"),
    "less than never": (lambda world: world.network.webhooks.drop(-1), "a share from 0 to 1"),
    "share and status the wrong way round": (lambda world: world.network.refuse(0.1, 429), "4xx or 5xx, such as 429 or 503; got 0.1"),  # type: ignore[arg-type]
    "a start without zone": (lambda world: World(start=datetime(2026, 1, 1)), "time zone"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_do(mistake: str) -> None:
    make, says = MISTAKES[mistake]
    with pytest.raises(ConfigurationError, match=says):
        make(World(seed=7))


def test_an_async_integration_cannot_be_delivered_to_without_awaiting() -> None:
    world = World(seed=7)
    world.shopper.submit_return(1)
    with pytest.raises(ConfigurationError, match="this receiver is async"):
        world.deliver(async_integration_for(world))


def test_no_seeds_hold_nothing_to_anything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--seeds", "0"])
    assert left.value.code == 2
    assert "--seeds is at least 1" in capsys.readouterr().err
