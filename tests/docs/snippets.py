"""Runs the Python of a page of the documentation, from top to bottom, in one namespace.

* A fence ``python`` is executed; ``pycon`` is a doctest. ``<!-- setup … -->`` and ``<!-- check … -->`` hold Python that is executed
  and not shown.
* A fence ``text`` right after ``<!-- output -->`` is what the block before it prints.
* ``<!-- skip: reason -->`` leaves out the next block; it is for what is another program's, such as a shell session.
* Fences ``toml`` and ``json`` must parse.
* ``<!-- needs: package -->`` says what must be installed beyond the library's own dependencies, else the page is skipped.

Each page gets a world of its own: the clients that it builds with keys of its own choosing talk to the simulator (one that is given
a transport talks through that), time is the world's, and files go to a folder of their own.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import sys
import tomllib
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

import loop_whiplash
from loop_whiplash.simulator import World

_FENCE = re.compile(
    r"<!-- (?P<mark>setup|check|output|skip)(?P<inner>.*?)-->|^(?P<indent> *)```(?P<lang>\w+)?[^\n]*\n(?P<code>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)


@attrs.frozen(kw_only=True)
class Block:
    """One fence or hidden comment. `kind`: its language, or ``setup``, ``check``, ``output``, ``skip``."""

    kind: str
    code: str
    line: int


def blocks(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    found = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["mark"]:
            found.append(Block(kind=match["mark"], code=match["inner"].strip(": \n"), line=line))
        else:
            indent = len(match["indent"])
            code = "".join(each[indent:] if each.strip() else each for each in match["code"].splitlines(keepends=True))
            found.append(Block(kind=match["lang"] or "", code=code, line=line + 1))
    return found


class Page:
    """A page's namespace, and what its last block printed."""

    def __init__(self, path: Path, world: World, folder: Path) -> None:
        self.path, self.world, self.folder, self.printed = path, world, folder, ""
        # A real module, so that what a snippet defines can be found by name (dataclasses, pickling).
        self.module = types.ModuleType("page_" + re.sub(r"\W", "_", path.stem))
        self.names = self.module.__dict__
        self.names.update(world=world, folder=folder, page=path, wired=self.wired)

    def wired(self, **options: Any) -> Any:
        """An integration of this world, for a page that begins where a service is wired already."""
        settings = options.pop("settings", {})
        return loop_whiplash.Integration(
            loop_whiplash.LoopClient("loop-key"),
            loop_whiplash.WhiplashClient("whiplash-token", customer_id=self.world.customer_id),
            ledger=options.pop("ledger", None) or loop_whiplash.SQLiteLedger("returns.db"),
            settings=loop_whiplash.Settings(**{"start": self.world.clock.now(), **settings}),
            loop_secrets=[self.world.loop_secret],
            whiplash_secrets=[self.world.whiplash_secret],
            **options,
        )

    def run(self) -> int:
        """Run all of it; gives how many visible blocks ran."""
        ran, skip, expect = 0, False, False
        for block in blocks(self.path.read_text(encoding="utf-8")):
            if block.kind in ("skip", "output"):
                skip, expect = block.kind == "skip", block.kind == "output"
                continue
            if skip:
                skip = False
                continue
            if expect:
                assert _same(block.code, self.printed), f"{self.path.name}:{block.line} is not what was printed:\n{self.printed}"
                expect = False
                continue
            if block.kind in ("python", "setup", "check", "pycon"):
                self._execute(block)
                ran += block.kind in ("python", "pycon")
            elif block.kind == "toml":
                tomllib.loads(block.code)
            elif block.kind == "json":
                json.loads(block.code)
        return ran

    def _execute(self, block: Block) -> None:
        name = f"{self.path}:{block.line}"
        if block.kind == "pycon":
            test = doctest.DocTestParser().get_doctest(block.code, self.names, name, str(self.path), block.line)
            said = io.StringIO()
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
            runner.run(test, out=said.write, clear_globs=False)
            self.names.update(test.globs)
            assert runner.failures == 0, said.getvalue()
            return
        said = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.code, str(self.path), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(said):
            exec(code, self.names)
        self.printed = said.getvalue()


def _same(wanted: str, got: str) -> bool:
    """Line by line, trailing blanks apart; ``...`` stands for anything."""
    plain = ["\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n" for text in (wanted, got)]
    return doctest.OutputChecker().check_output(*plain, doctest.ELLIPSIS)


def keeps_time(kind: Any, now: Any) -> Any:
    """The class, with a clock of the world's where none is given."""

    class Timed(kind):  # type: ignore[misc]
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **{"clock": now, **options})

    Timed.__name__ = Timed.__qualname__ = kind.__name__
    return Timed


@contextlib.contextmanager
def inhabited(page: Path, folder: Path, monkeypatch: Any) -> Any:
    """A page whose clients live in a world."""
    world = World(seed=7, start=datetime.now(UTC).replace(microsecond=0))
    world.loop.manners.processing_takes = (5.0, 20.0)

    def lives(kind: Any, transport: Any, sleep: Any) -> Any:
        class Client(kind):  # type: ignore[misc]
            def __init__(self, *given: Any, **options: Any) -> None:
                key = {"transport": transport, "clock": world.clock.now, "sleep": sleep}
                super().__init__(*(given or ("key",)), **(options if "transport" in options else {**options, **key}))

        Client.__name__ = Client.__qualname__ = kind.__name__
        return Client

    clock = world.clock
    monkeypatch.setattr(loop_whiplash, "LoopClient", lives(loop_whiplash.LoopClient, world.loop_transport(), clock.sleep))
    monkeypatch.setattr(loop_whiplash, "WhiplashClient", lives(loop_whiplash.WhiplashClient, world.whiplash_transport(), clock.sleep))
    asleep = clock.sleep_async
    monkeypatch.setattr(loop_whiplash, "AsyncLoopClient", lives(loop_whiplash.AsyncLoopClient, world.async_loop_transport(), asleep))
    monkeypatch.setattr(
        loop_whiplash, "AsyncWhiplashClient", lives(loop_whiplash.AsyncWhiplashClient, world.async_whiplash_transport(), asleep)
    )
    for name in ("Integration", "AsyncIntegration", "SQLiteLedger", "MemoryLedger"):
        monkeypatch.setattr(loop_whiplash, name, keeps_time(getattr(loop_whiplash, name), clock.now))
    world.loop.manners.api_keys.append("loop-key")
    world.whiplash.manners.tokens.append("whiplash-token")
    for name, value in {
        "LOOP_API_KEY": world.api_key,
        "LOOP_SECRET": world.loop_secret,
        "WHIPLASH_TOKEN": world.token,
        "WHIPLASH_CUSTOMER": str(world.customer_id),
        "WHIPLASH_SECRET": world.whiplash_secret,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    inside = Page(page, world, folder)
    sys.modules[inside.module.__name__] = inside.module
    try:
        yield inside
    finally:
        del sys.modules[inside.module.__name__]
