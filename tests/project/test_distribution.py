"""What is shipped: the wheel, its metadata, and the promises of pyproject.toml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import loop_whiplash

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_said_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", loop_whiplash.__version__)
    assert "version" not in PROJECT["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{loop_whiplash.__version__}]" in changelog


def test_each_runtime_dependency_has_a_lower_and_an_upper_bound() -> None:
    for line in PROJECT["project"]["dependencies"]:
        assert re.fullmatch(r"[a-z-]+>=[\d.]+,<\d+", line), line


def test_no_framework_is_a_dependency() -> None:
    names = {re.split(r"[>=<]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert names == {"attrs", "cattrs", "httpx", "python-dateutil", "tenacity"}


def test_no_lock_file_is_kept() -> None:
    assert not [name for name in ("poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock", "requirements.txt") if (ROOT / name).exists()]


def test_classifiers_name_the_pythons_that_ci_runs() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    tested = re.findall(r'"(3\.\d+)"', workflow)
    named = [line.rsplit(" ", 1)[1] for line in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert named == tested
    assert PROJECT["project"]["requires-python"] == f">={tested[0]}"


def test_the_package_is_typed() -> None:
    assert (Path(loop_whiplash.__file__).parent / "py.typed").exists()


@pytest.mark.skipif("LOOP_WHIPLASH_INSTALLED" not in os.environ, reason="only where the wheel is installed, as .ci/run does")
def test_what_is_tested_is_the_installed_wheel() -> None:
    assert not (ROOT / "src").exists()
    assert "site-packages" in loop_whiplash.__file__
    assert metadata.version("loop-whiplash") == loop_whiplash.__version__


def test_the_installed_metadata_is_complete() -> None:
    try:
        found = metadata.metadata("loop-whiplash")
    except metadata.PackageNotFoundError:
        pytest.skip("the distribution is not installed here; the source is imported")
    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == PROJECT["project"]["requires-python"]
    assert {"test", "docs", "postgres", "dev"} <= set(found.get_all("Provides-Extra") or [])
    assert "pip install" in (found.get_payload() or found["Description"])


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="needs the repository")
def test_the_source_distribution_leaves_nothing_out() -> None:
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    tops = {f"/{name.split('/')[0]}" for name in kept} - {"/.gitignore", "/pyproject.toml"}
    assert tops == set(PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])


@pytest.mark.skipif(not (ROOT / "src").exists() or find_spec("hatchling") is None, reason="needs the source tree and hatchling")
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"loop_whiplash", f"loop_whiplash-{loop_whiplash.__version__}.dist-info"}
    assert "loop_whiplash/py.typed" in names
    inside = {name for name in names if name.startswith("loop_whiplash/") and not name.endswith("/")}
    wanted = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/loop_whiplash").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == wanted
