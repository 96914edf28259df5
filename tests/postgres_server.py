"""A real PostgreSQL for tests: started once, in a temporary directory, as an unprivileged user, on a Unix socket.

``from postgres_server import postgres`` gives a fixture: the dsn of a schema of its own, dropped after the test. Where there
is no PostgreSQL the test is skipped with the reason.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import glob
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest

_numbers = itertools.count(1)


class NoPostgres(Exception):
    """Why there is none."""


def _binary(name: str) -> str:
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    if found is None:
        raise NoPostgres(f"{name} is not installed (Debian: apt-get install postgresql)")
    return found


def _unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root; so then it runs as whoever of these is there."""
    if os.getuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NoPostgres("running as root, and there is no user to run PostgreSQL as")


def _die_with_us() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # Linux's PR_SET_PDEATHSIG: a killed test run leaves no server behind


@functools.cache
def server() -> str:
    """The dsn of the one server of this test run. Raises `NoPostgres`."""
    if not hasattr(os, "getuid"):
        raise NoPostgres("this starts PostgreSQL on Unix only")
    try:
        import psycopg
    except ImportError:
        raise NoPostgres("psycopg 3 is not installed") from None
    initdb, postgres, who = _binary("initdb"), _binary("postgres"), _unprivileged()
    home = tempfile.mkdtemp(prefix="lw-pg-", dir="/tmp")
    if who:
        os.chown(home, who["user"], who["group"])
    data = f"{home}/data"
    made = subprocess.run(
        [initdb, "-D", data, "-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C", "-N"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **who,
    )
    if made.returncode:
        shutil.rmtree(home, ignore_errors=True)
        raise NoPostgres(f"initdb failed: {made.stderr.strip()[-300:]}")
    with open(f"{home}/log", "wb") as log:
        running = subprocess.Popen(
            [postgres, "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=64MB"],
            cwd=home,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_us if os.uname().sysname == "Linux" else None,
            **who,
        )

    def stop() -> None:
        running.send_signal(signal.SIGQUIT)
        running.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)
    dsn = f"host={home} user=tester dbname=postgres"
    for _ in range(600):
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            if running.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return dsn
    with open(f"{home}/log", encoding="utf-8", errors="replace") as log:
        raise NoPostgres(f"PostgreSQL does not start: {log.read()[-300:]}")


@pytest.fixture
def postgres() -> Iterator[str]:
    """The dsn of an empty schema, which is dropped with all that is in it."""
    try:
        dsn = server()
    except NoPostgres as reason:
        pytest.skip(str(reason))
    import psycopg

    schema = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}")
        yield f"{dsn} options='-c search_path={schema}'"
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'loop-whiplash'"
        )
        admin.execute(f"DROP SCHEMA {schema} CASCADE")
