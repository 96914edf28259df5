"""The public face: every name is there, is lazy, is documented, and does not change unnoticed."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from api_snapshot import snapshot

import loop_whiplash

SNAPSHOT = Path(__file__).with_name("api.txt")
SOURCE = Path(loop_whiplash.__file__)


def fresh(code: str) -> str:
    """What a new interpreter prints, without coverage or plugins in it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout


@pytest.mark.parametrize("name", loop_whiplash.__all__)
def test_each_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(loop_whiplash, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert value.__name__ == name
        assert inspect.getdoc(value), f"{name} has no docstring"


def test_all_is_sorted_and_has_no_name_twice() -> None:
    def place(name: str) -> tuple[bool, str]:
        return name[0].islower(), name

    assert loop_whiplash.__all__ == sorted(set(loop_whiplash.__all__), key=place)


def test_type_checkers_and_the_interpreter_find_each_name_in_the_same_module() -> None:
    block = next(node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == loop_whiplash._HOME
    assert sorted(typed) == sorted(loop_whiplash.__all__)


def loaded(code: str) -> set[str]:
    """The packages, of those that matter, that some code loads."""
    said = fresh(f"import sys; {code}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))")
    return set(said.split()) & {"attr", "attrs", "cattrs", "dateutil", "httpx", "loop_whiplash", "sqlite3", "tenacity"}


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded("import loop_whiplash") == {"loop_whiplash"}


def test_a_script_that_matches_and_reconciles_needs_no_http_client() -> None:
    assert not loaded("from loop_whiplash import match, reconcile, to_receipt, to_rma") & {"httpx", "sqlite3"}


def test_building_a_client_loads_no_model_before_it_is_used() -> None:
    said = fresh(
        "import sys; from loop_whiplash import LoopClient, WhiplashClient; LoopClient('k'); WhiplashClient('t'); print(*sys.modules)"
    )
    assert "loop_whiplash.loop.client" in said.split()
    assert not {"loop_whiplash.loop.models", "loop_whiplash.whiplash.models", "loop_whiplash.decoding", "dateutil"} & set(said.split())


def test_importing_costs_at_most_forty_milliseconds_over_bare_python() -> None:
    def median(code: str) -> float:
        # Processor time, so that a busy machine does not decide.
        timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
        return sorted(float(fresh(timed)) for _ in range(5))[2]

    assert median("import loop_whiplash") - median("pass") <= 0.040


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'LoopWhiplash'"):
        _ = loop_whiplash.LoopWhiplash


def test_dir_lists_what_is_public() -> None:
    assert set(loop_whiplash.__all__) <= set(dir(loop_whiplash))


def test_star_import_gives_exactly_the_public_names() -> None:
    said = fresh(
        "import json; before = set(dir()); from loop_whiplash import *; print(json.dumps(sorted(set(dir()) - before - {'before'})))"
    )
    assert set(json.loads(said)) == set(loop_whiplash.__all__)


def test_every_error_is_public_and_survives_a_task_queue() -> None:
    from loop_whiplash import errors

    assert set(errors.__all__) <= set(loop_whiplash.__all__)
    for name in errors.__all__:
        kind = getattr(errors, name)
        error = pickle.loads(pickle.dumps(kind("return 5: it was refused", return_id=5) if name != "ListIncomplete" else kind("cut short")))
        assert type(error) is kind
        assert isinstance(error, loop_whiplash.LoopWhiplashError)


def test_the_public_face_is_the_one_that_was_written_down() -> None:
    """A change here is one for users: write it in CHANGELOG.md, then ``python tests/project/api_snapshot.py > tests/project/api.txt``."""
    assert snapshot() == SNAPSHOT.read_text(encoding="utf-8")
