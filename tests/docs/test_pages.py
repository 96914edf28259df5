"""Every snippet of the documentation and the README is run, every link inside leads somewhere, and tables equal the code."""

from __future__ import annotations

import importlib.util
import itertools
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from snippets import blocks, inhabited

import loop_whiplash
from loop_whiplash.matching.codes import CODES
from loop_whiplash.planning.breaks import BREAKS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
RUNS = ("python", "pycon", "toml", "json")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def hooks() -> Any:
    pytest.importorskip("griffe", reason="the pages are made with [docs]")
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WITH_CODE = [page for page in PAGES if any(block.kind in RUNS for block in blocks(page.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_every_snippet_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for needed in re.findall(r"<!-- needs: ([\w.]+) -->", page.read_text(encoding="utf-8")):
        pytest.importorskip(needed)
    with inhabited(page, tmp_path, monkeypatch) as inside:
        inside.run()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_is_skipped_only_with_a_reason_and_never_python(page: Path) -> None:
    found = blocks(page.read_text(encoding="utf-8"))
    for mark, after in itertools.pairwise(found):
        if mark.kind == "skip":
            assert mark.code, f"{page.name}:{mark.line} skips without a reason"
            assert after.kind not in ("python", "pycon"), f"{page.name}:{mark.line} skips Python"
    unclosed = [each for each in found if each.kind == "" and each.code.strip().startswith(("import ", "from "))]
    assert not unclosed, "a fence of Python says python"


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_fits_beside_both_menus(page: Path) -> None:
    """The page has room for a hundred columns; what is longer is cut off until it is scrolled."""
    shown = [block for block in blocks(page.read_text(encoding="utf-8")) if block.kind in ("python", "pycon")]
    wide = [f"line {block.line + place}" for block in shown for place, line in enumerate(block.code.splitlines()) if len(line) > 100]
    assert not wide, f"{page.name}: longer than 100 columns: {', '.join(wide)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_example_that_a_page_names_is_there(page: Path) -> None:
    for found in re.findall(r"examples/[a-z_]+\.py", page.read_text(encoding="utf-8")):
        assert (ROOT / found).exists(), f"{page.name} names {found}"


def test_every_example_is_named_by_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert not [path.name for path in (ROOT / "examples").glob("*.py") if f"examples/{path.name}" not in text]


def test_each_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    assert not [name_of(page) for page in DOCS.rglob("*.md") if str(page.relative_to(DOCS)) not in nav]


def test_reference_pages_list_every_public_name() -> None:
    listed = set(re.findall(r"^::: loop_whiplash\.(\w+)$", "".join(page.read_text(encoding="utf-8") for page in PAGES), re.MULTILINE))
    errors = {
        name for name in loop_whiplash.__all__ if isinstance(kind := getattr(loop_whiplash, name), type) and issubclass(kind, Exception)
    }
    assert listed | errors == set(loop_whiplash.__all__)


@pytest.mark.parametrize("room", ["simulator", "testing"])
def test_the_other_public_rooms_are_listed_too(room: str) -> None:
    text = (DOCS / "reference" / "simulator.md").read_text(encoding="utf-8")
    listed = set(re.findall(rf"^::: loop_whiplash\.{room}\.(\w+)$", text, re.MULTILINE))
    public = set(importlib.import_module(f"loop_whiplash.{room}").__all__)
    assert public - {"sign_loop", "sign_whiplash"} <= listed


def test_the_reference_of_the_clients_has_every_method() -> None:
    module = hooks()
    for name, kind in (("loop", loop_whiplash.LoopClient), ("whiplash", loop_whiplash.WhiplashClient)):
        made = module.TABLES[name]()
        for group, methods in kind.__annotations__.items():
            kind_of_group = getattr(importlib.import_module(kind.__module__), methods)
            missing = [each for each in dir(kind_of_group) if not each.startswith("_") and f"{{ #{name}.{group}.{each} }}" not in made]
            assert not missing, f"{name}.{group}: {missing}"


def cells(page: str) -> list[list[str]]:
    """The rows of a page's tables, heads and rules left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row[0].startswith("---")]


def test_each_quirk_has_a_number_its_evidence_and_what_we_do() -> None:
    text = (DOCS / "explanation" / "quirks.md").read_text(encoding="utf-8")
    quirks = [row for row in cells("explanation/quirks.md") if re.fullmatch(r"[LW]\d+", row[0].strip())]
    for system in "LW":
        numbers = [int(row[0][1:]) for row in quirks if row[0].startswith(system)]
        assert numbers == list(range(1, len(numbers) + 1))
    for row in quirks:
        assert len(row) == 4, row
        assert all(row), row
        assert all(f"\n[{label}]: https://" in text for label in re.findall(r"\]\[(\w+)\]", row[2])), row
    assert set(re.findall(r"^\[(\w+)\]: ", text, re.MULTILINE)) <= set(re.findall(r"\]\[(\w+)\]", text)), "an address that nothing names"


def test_each_thing_not_verified_says_what_is_assumed_and_names_settings_that_exist() -> None:
    known = {field.name for kind in (loop_whiplash.Settings, loop_whiplash.Policy) for field in attrs.fields(kind)}
    known |= {"loop_secrets", "whiplash_secrets", "limiter", "retry"}
    rows = [row for row in cells("explanation/unverified.md") if len(row) >= 4 and row[1] != "Not known"]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(?:Policy\.)?([a-z_]+)`", row[-2])
        assert all(name in known for name in named), row


def test_dense_docstrings_are_read_name_by_name() -> None:
    module = hooks()
    said = module.items("a, b: one; two. c: see `a`: three. Not one: four.", ["a", "b", "c"])
    assert said == {"a": "one; two.", "b": "one; two.", "c": "see `a`: three. Not one: four."}
    assert module.items("nothing of the kind", ["a"]) == {}


def test_a_bar_chart_shows_the_numbers_as_they_are_written() -> None:
    shown = hooks().on_page_markdown("<!-- bars: Seconds & more\nours = 1.50\ntheirs, plain = 1,200\n-->")
    assert "Seconds &amp; more" in shown
    assert "theirs, plain</text>" in shown
    assert ">1.50</text>" in shown
    assert 'width="350.0"' in shown


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    for found in re.findall(r"\btests/[a-z_/]+(?:\.py)?", page.read_text(encoding="utf-8")):
        assert (ROOT / found).exists(), f"{page.name} names {found}"


def test_the_tables_are_whole() -> None:
    module = hooks()
    made = {name: make() for name, make in module.TABLES.items()}
    assert all(f"`{code}`" in made["breaks"] for code in BREAKS)
    assert all(f"`{code}`" in made["findings"] for code in CODES)
    assert all(f"`{field.name}`" in made["settings"] for field in attrs.fields(loop_whiplash.Settings))
    assert all(f"`{field.name}`" in made["policy"] for field in attrs.fields(loop_whiplash.Policy) if field.init)
    assert set(loop_whiplash.errors.__all__) == set(re.findall(r"`(\w+)` \|", made["errors"])) - set(
        re.findall(r"\| `(\w+)` \|$", made["errors"])
    )
    leaves = [kind for name in loop_whiplash.errors.__all__ if not (kind := getattr(loop_whiplash, name)).__subclasses__()]
    assert not [kind.__name__ for kind in leaves if kind.__name__ not in module.ADVICE]


def test_a_page_leaves_out_what_is_not_for_readers() -> None:
    shown = hooks().on_page_markdown("a\n<!-- setup\nnot_for_readers = 1\n-->\nb <!-- table: errors -->")
    assert "not_for_readers" not in shown
    assert "OutcomeUnknown" in shown


def test_the_readme_is_what_is_promised_of_it() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install . && python examples/quickstart.py" in text
    assert 'pip install ".[test]" && pytest' in text
