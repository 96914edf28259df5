"""One seed is one run; and in every run every promise holds."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from loop_whiplash.simulator import FAMILIES, Run, Shape, check_hints, check_ledgers
from loop_whiplash.simulator.__main__ import main
from loop_whiplash.simulator.seeds import Result, run_seed

TINY = Shape(returns=(1, 1), days=0.2, years=False, sweeps=False)
DOUBLES = ("network", "webhooks", "lag", "people", "crashes")
DIGESTS = "from loop_whiplash.simulator import Run\nfor seed in (3, 8, 12): print(Run(seed).all().driver.digest())"


def run(seed: int, faults: str = "all", shape: Shape | None = None) -> Run:
    found = Run(seed, faults, shape=shape).all()
    found.close()
    return found


def test_one_seed_is_one_run_byte_for_byte() -> None:
    one, again, other = run(3), run(3), run(4)
    assert one.driver.lines == again.driver.lines
    assert one.driver.digest() == again.driver.digest() != other.driver.digest()


def test_a_seed_is_the_same_run_whatever_python_hashes_by() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS], env={**os.environ, "PYTHONHASHSEED": hashed}, capture_output=True, text=True, check=True
        ).stdout
        for hashed in ("1", "77")
    ]
    assert said[0] == said[1]
    assert len(said[0].split()) == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_of_faults_alone_breaks_no_promise(family: str) -> None:
    for seed in range(4):
        assert run(seed, family).violations == [], seed


def test_all_faults_together_break_no_promise() -> None:
    for seed in range(40):
        assert run(seed).violations == [], seed


#: Seeds that once broke a promise, or seemed to: 1774 an RMA of ours that a person attached to its own return, 107957 a search so far
#: behind that a correction of before the payment was seen only after it, 50 a box that a person was attaching when the ledger broke,
#: 313078 a key of another shop where few returns were known, 318885 a parcel without a name that fits two returns of its order.
ONCE_BROKEN = (1774, 107957, 50, 313078, 318885)


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_a_seed_that_once_broke_a_promise_breaks_none(seed: int) -> None:
    assert run(seed).violations == []


def tiny(seed: int) -> Result:
    return run_seed(seed, DOUBLES, TINY)


def test_two_thousand_tiny_worlds_see_no_double_create_no_double_process_and_no_hand_on_what_is_a_persons() -> None:
    """Lost replies, a search that lags, hints lost, repeated and reordered, a crash at any step, two workers, people at Loop."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(tiny, range(2000), chunksize=50))
    assert [(result.seed, [str(each) for each in result.violations]) for result in results if result.violations] == []
    assert sum(result.faults["crash"] for result in results) > 1000
    assert sum(result.faults["timeout"] for result in results) > 1000


def test_hints_may_come_in_any_order_and_number() -> None:
    for seed in range(8):
        assert check_hints(seed) == []


def test_a_seed_is_the_same_run_on_every_ledger() -> None:
    for seed in range(6):
        assert check_ledgers(seed) == []


def test_the_command_runs_from_a_shell() -> None:
    command = [sys.executable, "-m", "loop_whiplash.simulator", "--seeds", "6", "--workers", "2", "--faults", "lag"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("6 seeds, ")


def test_the_command_says_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--workers", "1", "--faults", "network,crashes"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("2 seeds, ")
    assert "0 with a broken promise" in said.out
    assert "network 2, crashes 2" in said.out
    assert "2 seeds of 2" in said.err
    assert main(["--seeds", "3", "--first", "7", "--workers", "2"]) == 0
    assert capsys.readouterr().out.startswith("3 seeds, ")
    assert main(["--faults", "gremlins"]) == 2
    assert main(["--trace", "1", "--faults", "none"]) == 0
    assert "seed 1: " in capsys.readouterr().out.splitlines()[-1]
