# ruff: noqa: F401, F811 - a fixture is imported by its name
"""Workers are killed with SIGKILL, at every statement in turn and at random, and others go on."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import DURABLE, Bench, at, bench_for, command, environment, hint

from postgres_server import postgres

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def killed_everywhere(*arguments: str) -> str:
    done = subprocess.run(
        command("killed_writer.py", *arguments), env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_sqlite_killed_before_every_statement_and_after_every_commit(tmp_path: Path) -> None:
    said = killed_everywhere("sqlite", str(tmp_path))

    assert said.startswith("ok "), said
    assert int(said.split()[1]) > 80


def test_a_writer_without_transactions_is_found_out(tmp_path: Path) -> None:
    assert killed_everywhere("sqlite", str(tmp_path), "broken").startswith("point ")


def test_postgres_killed_before_every_statement_and_after_every_commit(postgres: str) -> None:
    said = killed_everywhere("postgres", postgres)

    assert said.startswith("ok "), said
    assert int(said.split()[1]) > 80


@pytest.fixture(params=DURABLE)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "sqlite":
        request.node.where = str(request.getfixturevalue("tmp_path") / "ledger.db")
    else:
        request.node.where = request.getfixturevalue("postgres")
    yield from bench_for(request)


class Crew:
    """Worker processes, and what they have said so far, those killed since included."""

    def __init__(self, kind: str, where: str) -> None:
        self._command = command("racing_worker.py", kind, where)
        self._said: list[str] = []
        self._readers: list[threading.Thread] = []
        self._workers: list[subprocess.Popen[str]] = []

    def hire(self) -> subprocess.Popen[str]:
        worker = subprocess.Popen(self._command, env=environment(), stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: self._said.extend(line.strip() for line in worker.stdout or ()), daemon=True)
        reader.start()
        self._workers.append(worker)
        self._readers.append(reader)
        return worker

    def said(self, what: str) -> Counter[str]:
        return Counter(line.split()[1] for line in self._said if line.startswith(what))

    def count(self) -> int:
        return len(self._said)

    def ended(self) -> None:
        for reader in self._readers:
            reader.join(timeout=60)

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.ended()
        for worker in self._workers:
            if worker.stdout:
                worker.stdout.close()


@pytest.fixture
def crew(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Crew]:
    crew = Crew(bench.name, request.node.where)
    yield crew
    crew.dismiss()


def test_several_processes_do_each_return_once(bench: Bench, crew: Crew) -> None:
    bench.ledger.accept_many([(hint(return_id), at(0)) for return_id in range(1, 121)])
    workers = [crew.hire() for _ in range(4)]
    for return_id in range(121, 181):  # webhooks come in all the while
        bench.ledger.accept(hint(return_id, minutes=-200), due_at=at(-200))
    assert [worker.wait(timeout=60) for worker in workers] == [0] * 4
    crew.ended()

    everyone = Counter(str(return_id) for return_id in range(1, 181))
    finished = set(crew.said("done"))
    missing = everyone.keys() - finished  # what came in after the last worker saw nothing open
    assert crew.said("sent") == crew.said("done") == Counter(finished)
    assert {str(row.return_id) for row in bench.ledger.open_cases()} == missing


def test_killed_workers_never_act_twice_and_leave_nothing_behind(bench: Bench, crew: Crew) -> None:
    bench.ledger.accept_many([(hint(return_id, minutes=-200), at(-200)) for return_id in range(1, 301)])
    dice, killed = random.Random(7), 0
    workers = [crew.hire() for _ in range(3)]
    while killed < 8 and any(worker.poll() is None for worker in workers):
        target, deadline = crew.count() + dice.randrange(5, 40), time.monotonic() + 20
        while crew.count() < target and time.monotonic() < deadline and any(worker.poll() is None for worker in workers):
            time.sleep(0.001)
        place = dice.randrange(len(workers))
        if workers[place].poll() is None:
            workers[place].kill()
            workers[place].wait()
            killed += 1
            workers[place] = crew.hire()
    for worker in workers:
        assert worker.wait(timeout=60) in (0, -9)
    crew.ended()

    assert killed >= 3
    assert crew.said("sent").most_common(1)[0][1] == 1
    assert bench.ledger.open_cases() == []
    assert bench.ledger.stats(at=at(0))["cases"] == 300
    for return_id in range(1, 301):
        assert bench.ledger.case(return_id).journal == {"phase": "done"}
