"""The scripts, as cron and people run them: processes against both fakes on real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from example_hosts import EXAMPLES, environment, shops_toml, world_now

from loop_whiplash import ConsumerReturn, Policy, Return, replay
from loop_whiplash.simulator import World


def run(env: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=60, check=False)


def on_a_terminal(env: dict[str, str], *command: str) -> tuple[int, str]:
    """The exit status, and what the error stream shows on a terminal."""
    ours, theirs = pytest.importorskip("pty", reason="no terminals here").openpty()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=EXAMPLES, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(timeout=10), shown.decode()


# ------------------------------------------------------------------------------------------------------------ daily_sweep.py


@pytest.fixture
def quiet_world() -> World:
    """A shop whose webhooks all got lost: two good returns, and one with a SKU that Whiplash does not know."""
    world = world_now()
    unknown = world.catalogue.add_variant(sku="NOT-IN-WHIPLASH", items=0).sku
    for ret in (world.shopper.submit_return(1), world.shopper.submit_return(2), world.shopper.submit_return([unknown], in_whiplash=False)):
        world.carrier.scan(ret, "pre_transit")
    world.outbox.drop_all()
    return world


def test_the_daily_sweep_heals_writes_a_page_and_tells_cron_how_it_went(tmp_path: Path, quiet_world: World) -> None:
    with quiet_world.serve() as fakes:
        env, page = environment(quiet_world, fakes, tmp_path), tmp_path / "returns.html"

        looked = run(env, "daily_sweep.py", "--page", str(page), "--dry-run", "--limit", "3")
        assert (looked.returncode, quiet_world.truth.made) == (0, []), looked.stderr

        sweep = run(env, "daily_sweep.py", "--page", str(page))
        assert sweep.returncode == 1, sweep.stderr  # the one that cannot be announced
        assert sweep.stderr == ""  # or cron would send it every day
        assert "UNRESOLVED_ITEM" in sweep.stdout
        assert len(quiet_world.truth.made) == 2
        html = page.read_text(encoding="utf-8")
        assert html.lstrip().lower().startswith("<!doctype html")
        assert html.rstrip().endswith("</html>")
        assert "UNRESOLVED_ITEM" in html
        assert not page.with_suffix(".part").exists()

        again = run(env, "daily_sweep.py", "--page", str(page), "--limit", "3")
        assert again.returncode == 0
        assert len(quiet_world.truth.made) == 2


def test_the_daily_sweep_shows_on_a_terminal_how_far_it_is(tmp_path: Path, quiet_world: World) -> None:
    with quiet_world.serve() as fakes:
        env = environment(quiet_world, fakes, tmp_path)
        status, shown = on_a_terminal(env, "daily_sweep.py", "--page", str(tmp_path / "page.html"), "--dry-run", "--limit", "3")
    assert status == 0
    assert "returns: 3 of 3" in shown


def test_the_daily_sweep_says_what_to_do_when_it_cannot_be_done(tmp_path: Path, quiet_world: World) -> None:
    with quiet_world.serve() as fakes:
        env = environment(quiet_world, fakes, tmp_path)
        page = ("--page", str(tmp_path / "page.html"))
        unset = run({**env, "GO_LIVE": "", "RETURNS_DB": ""}, "daily_sweep.py", *page)
        no_zone = run({**env, "GO_LIVE": "2026-12-01"}, "daily_sweep.py", *page)
        wrong_key = run({**env, "LOOP_API_KEY": "wrong"}, "daily_sweep.py", *page)
    assert [each.returncode for each in (unset, no_zone, wrong_key)] == [2, 2, 2]
    assert "set RETURNS_DB, GO_LIVE in the environment" in unset.stderr
    assert "time zone" in no_zone.stderr
    assert "SOURCE_INCOMPLETE" in wrong_key.stdout
    assert "key" in wrong_key.stdout
    assert not any("Traceback" in each.stderr for each in (unset, no_zone, wrong_key))


# ---------------------------------------------------------------------------------------------------------- several_shops.py


def test_several_shops_are_swept_one_after_the_other(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    worlds = {"eu": world_now(1), "us": world_now(2)}
    unknown = worlds["eu"].catalogue.add_variant(sku="NOT-IN-WHIPLASH", items=0).sku
    worlds["eu"].carrier.scan(worlds["eu"].shopper.submit_return([unknown], in_whiplash=False), "pre_transit")
    for world in worlds.values():
        world.carrier.scan(world.shopper.submit_return(1), "pre_transit")
    with worlds["eu"].serve() as eu, worlds["us"].serve() as us:
        shops = shops_toml(tmp_path, worlds, {"eu": eu, "us": us})
        env = environment(worlds["eu"], eu, tmp_path, RETURNS_SHOPS=str(shops))
        swept = run(env, "several_shops.py", "sweep")
        assert swept.returncode == 1, swept.stderr  # the worst of both
        assert [line for line in swept.stdout.splitlines() if line.startswith("==")] == ["== eu", "== us"]
        assert [len(world.truth.made) for world in worlds.values()] == [1, 1]

        shops.write_text(shops.read_text(encoding="utf-8").replace("loop_secrets", "secrets"), encoding="utf-8")
        assert "[shops.eu] lacks loop_secrets" in run(env, "several_shops.py", "sweep").stderr
    assert "set RETURNS_SHOPS to the path of shops.toml" in run({**env, "RETURNS_SHOPS": ""}, "several_shops.py", "work").stderr


# --------------------------------------------------------------------------------------------- backfill.py and replay_dask.py


@pytest.fixture
def old_world() -> World:
    """Three months of history, worked on by hand: exact, short, damaged and uncounted returns, and one of before."""
    world = World(seed=5, start=world_now().clock.now() - timedelta(days=100))
    before = world.shopper.submit_return(1)
    world.clock.advance(days=10)
    world.warehouse.receive(world.warehouse.announce(before, original_id=str(before.id)))
    for number in range(30):
        ret = world.shopper.submit_return(2)
        world.carrier.scan(ret, "delivered")
        if number % 5:
            world.warehouse.receive(world.warehouse.announce(ret, original_id=str(ret.id)), short=number % 3 == 0, damaged=number % 4 == 0)
        world.clock.advance(days=3)
    return world


def test_history_is_loaded_and_replayed_in_partitions(tmp_path: Path, old_world: World) -> None:
    pytest.importorskip("distributed")
    since = (old_world.clock.now() - timedelta(days=90)).date().isoformat()
    history = tmp_path / "history"
    with old_world.serve() as fakes:
        env = environment(old_world, fakes, tmp_path)
        status, shown = on_a_terminal(env, "backfill.py", since, str(history))
        loaded = run(env, "backfill.py", since, str(history))
        wrong_key = run({**env, "WHIPLASH_TOKEN": "wrong"}, "backfill.py", since, str(tmp_path / "other"))
    assert status == loaded.returncode == 0, loaded.stderr
    assert "#" in shown
    assert "100%" in shown
    assert "RECEIVED_NOT_ACTIONED" in loaded.stdout
    assert "ORPHAN_IN_WMS" not in loaded.stdout  # the return of before was read too, because a consumer return names it
    assert wrong_key.returncode == 2
    assert "SOURCE_INCOMPLETE" in wrong_key.stdout

    files = [history / "returns.jsonl", history / "consumer_returns.jsonl"]
    returns, received = ([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files)
    assert len(returns) == len({row["id"] for row in returns}) == 31
    assert len(received) == 25
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)

    policy = tmp_path / "policy.toml"
    policy.write_text('under_units = 1\nmin_condition = "damaged"\n', encoding="utf-8")
    dask = run(env, "replay_dask.py", str(history), str(policy), "--workers", "2", "--partition", "7")
    assert dask.returncode == 0, dask.stderr

    pairs = [
        (
            Return.from_dict(row),
            [ConsumerReturn.from_dict(each) for each in received if each["originator"]["original_id"] == str(row["id"])],
        )
        for row in returns
    ]
    alone = replay(pairs, Policy(), Policy.from_toml(policy))
    wanted = {f"{then.value:<10} → {now.value}": cell.count for (then, now), cell in alone.transitions.items()}
    wanted |= {"nothing was ever counted": alone.skipped} if alone.skipped else {}
    told = {line[9:].strip(): int(line[:9].replace(",", "")) for line in dask.stdout.splitlines()}
    assert told == wanted
    assert sum(told.values()) == 31
    assert len(wanted) > 2, "the policies decide alike, so this shows nothing"
