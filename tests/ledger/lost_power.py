"""A disk that loses its power: what was written and not synced is gone, kept, or torn, sector by sector.

The ledger runs over it through apsw, whose virtual file system this is, with the statements and settings it uses anyway.
Only one thing differs: SQLite is told that nobody else has the file (``locking_mode = EXCLUSIVE``), because apsw cannot offer
the shared memory that several connections need.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import apsw

SECTOR = 512
#: Writing a range leaves what is beside it alone; the same is assumed by SQLite of a real disk.
POWERSAFE_OVERWRITE = 0x1000


class File:
    """What programs see, what is on the disk, and what was done in between."""

    def __init__(self, content: bytes = b"", *, durable: bool = False) -> None:
        self.live = bytearray(content)
        self.durable: bytes | None = bytes(content) if durable else None
        self.pending: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        _put(self.live, offset, data)
        self.pending.append((offset, bytes(data)))

    def truncate(self, size: int) -> None:
        del self.live[size:]
        self.pending.append((size, None))

    def sync(self) -> None:
        self.durable, self.pending = bytes(self.live), []

    def after_power_loss(self, keep: Callable[[], bool]) -> File | None:
        """`keep` says of each sector written and not synced whether it reached the disk."""
        if self.durable is None and not keep():
            return None
        content = bytearray(self.durable or b"")
        for offset, data in self.pending:
            if data is None:
                if keep():
                    del content[offset:]
                continue
            start = offset
            while start < offset + len(data):
                end = min(offset + len(data), (start // SECTOR + 1) * SECTOR)
                if keep():
                    _put(content, start, data[start - offset : end - offset])
                start = end
        return File(content, durable=True)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """`before` is called before each change, with what is about to be done."""

    def __init__(self, name: str, files: dict[str, File] | None = None) -> None:
        self.files = files if files is not None else {}
        self.before: Callable[[str], None] = lambda what: None
        self.name = name
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Handle:  # noqa: N802
        path = str(name.filename() if hasattr(name, "filename") else name)
        if path not in self.files:
            self.before(f"make {path}")
            self.files[path] = File()
        flags[1] = flags[0]
        return Handle(self, path)

    def xDelete(self, path: str, sync_directory: bool) -> None:  # noqa: N802
        self.before(f"delete {path}")
        self.files.pop(path, None)

    def xAccess(self, path: str, flags: int) -> bool:  # noqa: N802
        return path in self.files

    def xFullPathname(self, path: str) -> str:  # noqa: N802
        return path

    def after_power_loss(self, keep: Callable[[], bool]) -> dict[str, File]:
        found = {path: file.after_power_loss(keep) for path, file in self.files.items()}
        return {path: file for path, file in found.items() if file is not None}


class Handle:
    """One open file."""

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk, self.path, self.file = disk, path, disk.files[path]

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self.file.live[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.before(f"write {len(data)} at {offset} of {self.path}")
        self.file.write(offset, data)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.before(f"truncate {self.path}")
        self.file.truncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.before(f"sync {self.path}")
        self.file.sync()

    def xFileSize(self) -> int:  # noqa: N802
        return len(self.file.live)

    def xSectorSize(self) -> int:  # noqa: N802
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return POWERSAFE_OVERWRITE

    def xLock(self, level: int) -> None: ...  # noqa: N802

    def xUnlock(self, level: int) -> None: ...  # noqa: N802

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, what: int, pointer: int) -> bool:  # noqa: N802
        return False

    def xClose(self) -> None: ...  # noqa: N802


class Cursor:
    def __init__(self, rows: list[tuple[Any, ...]], rowcount: int, lastrowid: int) -> None:
        self._rows, self.rowcount, self.lastrowid = rows, rowcount, lastrowid

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class Connection:
    """As much of `sqlite3.Connection` as the ledger uses, over apsw. `edit` may change a statement on its way."""

    def __init__(self, path: str, disk: Disk, edit: Callable[[str], str]) -> None:
        self._edit = edit
        self._apsw = apsw.Connection(path, vfs=disk.name)
        self._apsw.pragma("locking_mode", "exclusive")

    def execute(self, sql: str, values: Any = ()) -> Cursor:
        try:
            rows = self._apsw.execute(self._edit(sql), values).fetchall()
            return Cursor(rows, self._apsw.changes(), self._apsw.last_insert_rowid())
        except apsw.Error as failed:
            error = sqlite3.OperationalError(str(failed))
            error.sqlite_errorcode = getattr(failed, "extendedresult", 1)
            error.sqlite_errorname = type(failed).__name__
            raise error from failed

    @property
    def in_transaction(self) -> bool:
        return bool(self._apsw.in_transaction)

    def close(self) -> None:
        """The ledger's two connections are one here; see `really_close`."""

    def really_close(self) -> None:
        self._apsw.close()
