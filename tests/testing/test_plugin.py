"""The pytest plugin, found and used by a fresh pytest in a project of somebody else."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from loop_whiplash import Integration
from loop_whiplash.simulator import World


def fresh(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter with the import path of this one, without coverage or options of ours in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=kept | env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Somebody's project: warnings are errors, and one test uses each fixture."""
    if not any(found.value == "loop_whiplash.testing.plugin" for found in entry_points(group="pytest11")):
        pytest.skip("loop-whiplash is on the path but not installed, so that pytest finds no plugin")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider\n", encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text(
        """
def test_plain():
    pass

def test_world(loop_whiplash_world):
    assert loop_whiplash_world.shopper.submit_return(1).state == "open"

def test_integration(loop_whiplash_integration):
    assert loop_whiplash_integration.run_due() == []
""",
        encoding="utf-8",
    )
    return tmp_path


def test_the_plugin_is_found_where_the_library_is_installed(project: Path) -> None:
    ran = fresh("-m", "pytest", folder=project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
    assert "loop-whiplash-" in next(line for line in ran.stdout.splitlines() if line.startswith("plugins:"))


def test_the_plugin_can_be_switched_off(project: Path) -> None:
    ran = fresh("-m", "pytest", "-q", "-p", "no:loop_whiplash", folder=project)
    assert "1 passed, 2 errors" in ran.stdout
    assert "fixture 'loop_whiplash_world' not found" in ran.stdout


def test_a_pytest_start_loads_none_of_the_library(project: Path) -> None:
    (project / "conftest.py").write_text(
        """
import sys

def pytest_sessionfinish():
    ours = sorted(name for name in sys.modules if name.partition(".")[0] in ("loop_whiplash", "attrs", "cattrs", "httpx", "sqlite3"))
    print("loaded:", *ours)
""",
        encoding="utf-8",
    )
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins load what they like
    ran = fresh("-m", "pytest", "-q", "-s", "-k", "plain", "-p", "loop_whiplash.testing.plugin", folder=project, **alone)
    loaded = next(line for line in ran.stdout.splitlines() if "loaded:" in line).split("loaded:")[1].split()
    assert loaded == ["loop_whiplash", "loop_whiplash.testing", "loop_whiplash.testing.plugin"]


def test_the_rest_of_the_helpers_needs_no_pytest(tmp_path: Path) -> None:
    ran = fresh(
        "-c",
        "import sys; sys.modules['pytest'] = None\n"
        "import loop_whiplash.testing as testing\n"
        "print(len([getattr(testing, name) for name in testing.__all__]))",
        folder=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) >= 11


# --------------------------------------------------------------------------------------------- the fixtures, used as they are meant


def test_a_return_goes_through_in_a_world_of_its_own(loop_whiplash_world: World, loop_whiplash_integration: Integration) -> None:
    world, integration = loop_whiplash_world, loop_whiplash_integration
    ret = world.shopper.submit_return(2)
    world.carrier.scan(ret, "pre_transit")
    world.run(integration, work=integration.run_due, hours=1)
    world.warehouse.receive(ret)
    world.run(integration, work=integration.run_due, hours=1)
    assert ret.was_processed
    assert len(world.truth.rmas(ret.id)) == 1
    assert integration.health().due == 0
