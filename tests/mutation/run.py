"""Mutation testing of the pure rooms: which small changes of the code would no test notice?

    pip install "mutmut>=3.8,<4"
    python tests/mutation/run.py matching-findings     # one group, or several; a room, "matching", means all of its groups
    python tests/mutation/run.py matching --processes 2 --keep /tmp/mutants

Prints, for each group, how many mutants were killed, and of each survivor its name and what was changed. Allow half an hour
a group.

mutmut works on a copy, of which what it would pass by is rewritten first: a decorated function (a property) becomes a plain
one that is decorated in the line after it, and a lambda in a module's table a function above the table.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["src", "tests", "examples"]


class Group(NamedTuple):
    """Modules of one room, and the files of tests that are to notice, in the folder of that name; `but` are left out."""

    room: str
    modules: str
    tests: str
    but: str = ""


PLANS = " ".join(f"test_plan_{told}" for told in ("create", "dates", "doubles", "flags", "parcels", "people", "process", "table", "words"))

# Left out are only tests of time and tests that start processes: with them each survivor costs many seconds.
GROUPS = {
    "matching-pairs": Group(
        "matching",
        "identifiers assignment optimum clean",
        "test_assignment test_short_ways test_normalise test_findings test_bad_input",
        "test_assignment.py::test_nothing_is_ever_slow",
    ),
    "matching-findings": Group(
        "matching",
        "findings judgement snapshots settlement",
        "test_findings test_snapshots test_normalise test_short_ways test_bad_input test_policy test_assignment",
        "test_assignment.py::test_nothing_is_ever_slow",
    ),
    "matching-decision": Group(
        "matching",
        "matcher evidence decision explanation codes",
        "test_decision test_findings test_short_ways test_bad_input test_normalise test_snapshots",
    ),
    "matching-policy": Group(
        "matching",
        "policy frozen loading",
        "test_policy test_decision test_findings test_normalise test_short_ways test_snapshots",
    ),
    "planning-breaks": Group(
        "planning",
        "breaks drift",
        "test_breaks test_drift test_plan_table",
    ),
    "planning-journal": Group(
        "planning",
        "journal stored",
        "test_journal_fold test_journal_learn test_journal_stored",
    ),
    "planning-answers": Group(
        "planning",
        "answers verdicts shapes",
        PLANS,
    ),
    "planning-situation": Group(
        "planning",
        "situation plan",
        f"test_situation {PLANS}",
    ),
    "planning-settings": Group(
        "planning",
        "model settings",
        "test_settings test_journal_stored test_plan_table",
    ),
}

CONFIGURATION = """\
[tool.pytest.ini_options]
pythonpath = ["tests", "tests/project"]
[tool.mutmut]
source_paths = ["src"]
process_isolation = "forkserver"
timeout_multiplier = 8.0
"""
# The same examples for every mutant, else one that was killed may come back to life; and properties last, as they take long.
CONFTEST = """\
from hypothesis import is_hypothesis_test, settings

settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
settings.load_profile("mutation")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: is_hypothesis_test(item.obj))
"""
KILLED = {"killed", "timeout", "segfault", "suspicious"}
LEFT_AS_IT_IS = {"staticmethod", "classmethod", "overload"}  # mutmut reaches the first two; the third has no body


class Plain(ast.NodeTransformer):
    """Brings everything that has a body into a shape that mutmut reaches."""

    def __init__(self) -> None:
        self.rows: list[ast.stmt] = []
        self.count = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | list[ast.stmt]:
        by = ast.unparse(node.decorator_list[0]) if len(node.decorator_list) == 1 else ""
        if not by.isidentifier() or by in LEFT_AS_IT_IS:
            return node
        node.decorator_list = []
        if by == "cache":  # what was remembered of one mutant must not answer for another
            return node
        name, node.name = node.name, f"asked_{node.name.lstrip('_')}"
        return [node, *ast.parse(f"{node.name}.__name__ = {name!r}\n{name} = {by}({node.name})").body]

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if ast.unparse(node.test) != "not TYPE_CHECKING":
            return node
        return [found for statement in node.body for found in self.several(statement)]

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.count += 1
        self.rows += ast.parse(f"def row_{self.count}({ast.unparse(node.args)}):\n    return {ast.unparse(node.body)}").body
        return ast.Name(f"row_{self.count}", ast.Load())

    def several(self, statement: ast.stmt) -> list[ast.stmt]:
        found = self.visit(statement)
        rows, self.rows = self.rows, []
        return rows + (found if isinstance(found, list) else [found])


def plain(code: str) -> str:
    """The same module, in that shape.

    >>> print(plain("class A:\\n    @property\\n    def b(self): return 1"))
    class A:
    <BLANKLINE>
        def asked_b(self):
            return 1
        asked_b.__name__ = 'b'
        b = property(asked_b)
    """
    module, rewrite = ast.parse(code), Plain()
    module.body = [found for statement in module.body for found in rewrite.several(statement)]
    return ast.unparse(ast.fix_missing_locations(module))


def arguments(group: Group) -> list[str]:
    return ["-p", "no:cacheprovider", *(f"--deselect=tests/{group.room}/{test}" for test in group.but.split())]


def tests(group: Group) -> list[str]:
    return [f"tests/{group.room}/{name}.py" for name in group.tests.split()]


def prepare(group: Group, work: Path) -> None:
    for name in COPIED:
        shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__", ".*", "mutation"))
    modules = [f"src/loop_whiplash/{group.room}/{name}.py" for name in group.modules.split()]
    for module in modules:
        (work / module).write_text(plain((work / module).read_text(encoding="utf-8")), encoding="utf-8")
    lists = {
        "only_mutate": modules,
        "also_copy": COPIED,
        "pytest_add_cli_args": arguments(group),
        "pytest_add_cli_args_test_selection": tests(group),
    }
    (work / "pyproject.toml").write_text(CONFIGURATION + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lists.items()))
    (work / "tests" / "conftest.py").write_text(CONFTEST)


def mutmut(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=work, env=environment, text=True, capture_output=True, check=False)


def noticed(group: Group, work: Path, mutant: str) -> bool:
    """Whether any test of the group fails with it, in a process of its own. mutmut tries only tests that it saw call the function,
    where the package is imported already: what runs while it is imported is never changed there."""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": "src", "MUTANT_UNDER_TEST": mutant}
    command = [sys.executable, "-m", "pytest", "-x", "-q", *arguments(group), *tests(group)]
    ran = subprocess.run(command, cwd=work / "mutants", env=environment, capture_output=True, check=False)
    return ran.returncode in (1, 2)  # a test failed, or could not be imported


def changed(diff: str) -> list[str]:
    """The lines taken out and put in; what begins them alike is shown only in part."""
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    alike = next((place for place, signs in enumerate(zip(*lines, strict=False)) if place and len(set(signs)) > 1), 1) - 1
    skipped = max(0, alike - 60)
    return [line[0] + ("…" if skipped else "") + line[1 + skipped :][:200].rstrip() for line in lines]


def measure(name: str, work: Path, processes: int) -> tuple[int, int]:
    """(killed, all) of a group; tells about it."""
    work.mkdir(parents=True)
    prepare(GROUPS[name], work)
    ran = mutmut(work, "run", "--max-children", str(processes))
    status = dict(line.strip().split(": ") for line in mutmut(work, "results", "--all", "true").stdout.splitlines() if ": " in line)
    if ran.returncode or not status:
        said = (ran.stdout + ran.stderr).replace("\r", "\n").splitlines()
        raise SystemExit("\n".join([f"mutmut did not get through {name}:", *said[-40:]]))
    with ThreadPoolExecutor(processes) as pool:
        unseen = [mutant for mutant, word in status.items() if word not in KILLED]
        survivors = [
            mutant for mutant, seen in zip(unseen, pool.map(lambda one: noticed(GROUPS[name], work, one), unseen), strict=True) if not seen
        ]
    killed = len(status) - len(survivors)
    print(f"{name}: {killed} of {len(status)} killed, {100 * killed / len(status):.1f} %", flush=True)
    for mutant in survivors:
        print(f"  {mutant.removeprefix('loop_whiplash.')} ({status[mutant]})", flush=True)
        for line in changed(mutmut(work, "show", mutant).stdout):
            print(f"    {line}", flush=True)
    return killed, len(status)


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutation testing of the pure rooms.")
    parser.add_argument("groups", nargs="+", metavar="GROUP", help=f"of {', '.join(GROUPS)}; or a room, which means all of its groups")
    parser.add_argument("--processes", type=int, default=1, help="how many mutants are tried at a time (default 1)")
    parser.add_argument("--keep", type=Path, help="a folder that does not exist yet, to work in and to leave behind")
    asked = parser.parse_args()
    names = [name for name, group in GROUPS.items() if name in asked.groups or group.room in asked.groups]
    unknown = set(asked.groups) - set(GROUPS) - {group.room for group in GROUPS.values()}
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="mutation-") as temporary:
        figures = [measure(name, (asked.keep or Path(temporary)) / name, asked.processes) for name in names]
    killed, every = sum(one for one, _ in figures), sum(both for _, both in figures)
    print(f"In all: {killed} of {every} killed, {100 * killed / every:.1f} %")


if __name__ == "__main__":
    main()
