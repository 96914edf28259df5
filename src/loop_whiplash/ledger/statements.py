"""Every SQL statement of the SQLite and the PostgreSQL ledger, in the words both understand.

Values go in by name (``:shop``), never into the text. The few words in braces differ between the two and are filled
in once, by `Words`:

* ``{now}``, ``{clock}``: the ledger's clock, a parameter on SQLite; on PostgreSQL the database's, when the transaction began
  and at this very moment (it may have waited for a lock in between);
* ``{long_ago}``: before all times;
* ``{lock}``, ``{skip_locked}``: row locks on PostgreSQL; a SQLite writer has the whole file;
* ``{by_lease}``: which index to take, where SQLite would guess wrong;
* ``{serial}``, ``{time}``, ``{bytes}``, ``{long}``, ``{clustered}``: types and storage of the tables;
* ``{inbox}``: a table that only SQLite has.

Why the tables are cut as they are:

* ``lw_cases`` is what every webhook and claim touches, so its rows are small; the documents are beside it.
* An event that names no return has return id 0, so that one index serves both kinds.
* A leased case is not in the index of due ones: a claim never steps over what others have.
* An event has a digest of its kind and body for as long as no plan has taken it in. The one index of events, by return and
  digest, is unique: so a repeated webhook is counted on the first one, and the unread events of a return are found at once.
  Few indexes matter: on PostgreSQL each is a page more to write before a webhook is answered. (On SQLite that is one row of the
  inbox, see there.)
* Whoever touches the events of a case locks its row first. So within a return a higher ``seq`` was always committed
  later, and "read up to this seq" cannot pass over an event still on its way.
"""

from __future__ import annotations

import re

import attrs

__all__ = ["MIGRATIONS", "SET_VERSION", "VERSION", "Statements", "Words"]


@attrs.frozen(kw_only=True)
class Words:
    """What differs between the two dialects."""

    now: str
    clock: str
    long_ago: str
    lock: str
    skip_locked: str
    serial: str
    time: str
    bytes: str
    long: str
    clustered: str
    by_lease: str
    inbox: str
    parameter: str

    def fill(self, sql: str) -> str:
        """One statement in this dialect."""
        words = {field.name: getattr(self, field.name) for field in attrs.fields(Words)}
        filled = sql.format(**words, **{name: part.format(**words) for name, part in PARTS.items()})
        return re.sub(r"(?<![:\w]):([a-z_]+)", self.parameter, filled)


#: One tuple of statements for each version of the schema; a version that was released is never edited, only followed.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE lw_schema (version {long} NOT NULL)",
        """
        CREATE TABLE lw_cases (
            shop TEXT NOT NULL,
            return_id {long} NOT NULL,
            due_at {time},
            fence {long} NOT NULL DEFAULT 0,
            lease_until {time},
            lease_token TEXT,
            forgotten BOOLEAN NOT NULL DEFAULT FALSE,
            created_at {time} NOT NULL,
            PRIMARY KEY (shop, return_id)
        ) {clustered}
        """,
        "CREATE INDEX lw_cases_due ON lw_cases (shop, due_at, return_id) WHERE lease_until IS NULL AND due_at IS NOT NULL",
        "CREATE INDEX lw_cases_leased ON lw_cases (shop, lease_until) WHERE lease_until IS NOT NULL",
        """
        CREATE TABLE lw_journals (
            shop TEXT NOT NULL,
            return_id {long} NOT NULL,
            has_breaks BOOLEAN NOT NULL DEFAULT FALSE,
            updated_at {time},
            journal TEXT NOT NULL,
            summary TEXT,
            PRIMARY KEY (shop, return_id),
            FOREIGN KEY (shop, return_id) REFERENCES lw_cases (shop, return_id)
        )
        """,
        "CREATE INDEX lw_journals_breaks ON lw_journals (shop, return_id) WHERE has_breaks",
        """
        CREATE TABLE lw_events (
            seq {serial},
            shop TEXT NOT NULL,
            return_id {long} NOT NULL,
            happened_at {time} NOT NULL,
            digest {bytes},
            times {long} NOT NULL,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            body {bytes} NOT NULL
        )
        """,
        "CREATE UNIQUE INDEX lw_events_unread ON lw_events (shop, return_id, digest)",
        """
        CREATE TABLE lw_intents (
            shop TEXT NOT NULL,
            return_id {long} NOT NULL,
            kind TEXT NOT NULL,
            ordinal {long} NOT NULL,
            intended_at {time} NOT NULL,
            evidence TEXT NOT NULL,
            PRIMARY KEY (shop, return_id, kind, ordinal),
            FOREIGN KEY (shop, return_id) REFERENCES lw_cases (shop, return_id)
        ) {clustered}
        """,
        """
        CREATE TABLE lw_facts (
            shop TEXT NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (shop, name)
        ) {clustered}
        """,
    ),
    ("{inbox}",),
)

#: The version of the schema this code reads and writes.
VERSION = len(MIGRATIONS)

#: Said with each migration, in its transaction.
SET_VERSION = ("DELETE FROM lw_schema", "INSERT INTO lw_schema (version) VALUES (:version)")

#: Parts that several statements share, by the word that stands for them.
PARTS = {
    "row": "c.return_id, c.due_at, c.lease_until IS NOT NULL AND c.lease_until > {now}, j.journal, j.summary, c.created_at, j.updated_at",
    "event": "e.kind, e.return_id, e.happened_at, e.body, e.source, e.seq, e.times",
    "cases": "lw_cases c LEFT JOIN lw_journals j ON j.shop = c.shop AND j.return_id = c.return_id",
    "still_unread": "e.shop = :shop AND e.return_id = :return_id AND e.digest IS NOT NULL",
}


@attrs.frozen(kw_only=True)
class Statements:
    """The statements, by name; `in_words` gives them in one dialect."""

    version: str = "SELECT MAX(version) FROM lw_schema"

    # ---------------------------------------------------------------------------------------------- events come in

    #: Makes the case, or brings it forward. Where nothing changes, the row is locked all the same.
    bring_forward: str = """
        INSERT INTO lw_cases (shop, return_id, due_at, created_at) VALUES (:shop, :return_id, :due_at, :at)
        ON CONFLICT (shop, return_id) DO UPDATE SET due_at = excluded.due_at
        WHERE excluded.due_at IS NOT NULL AND (lw_cases.due_at IS NULL OR lw_cases.due_at > excluded.due_at)
    """
    #: A repeated event is counted on the first and moved to the end: after hold, release, hold the last word is hold, and a
    #: worker that has the first in its hands still sees that something came in.
    append: str = """
        INSERT INTO lw_events (shop, return_id, happened_at, times, digest, kind, source, body)
        VALUES (:shop, :return_id, :at, :times, :digest, :kind, :source, :body)
        ON CONFLICT (shop, return_id, digest) DO UPDATE SET
            seq = excluded.seq, times = lw_events.times + excluded.times, happened_at = excluded.happened_at
    """
    append_step: str = """
        INSERT INTO lw_events (shop, return_id, happened_at, times, kind, source, body)
        VALUES (:shop, :return_id, :at, :times, :kind, :source, :body)
    """

    # ---------------------------------------------------------------------------------------------- claims

    #: Leases that ran out are given back before a claim looks: each costs this once, not at every claim.
    release: str = """
        UPDATE lw_cases SET lease_until = NULL, lease_token = NULL
        WHERE shop = :shop AND return_id IN (
            SELECT return_id FROM lw_cases WHERE shop = :shop AND lease_until IS NOT NULL AND lease_until <= {now} {skip_locked}
        )
    """
    lease_due: str = """
        WITH picked AS MATERIALIZED (
            SELECT shop, return_id FROM lw_cases
            WHERE shop = :shop AND lease_until IS NULL AND due_at IS NOT NULL AND due_at <= :at
            ORDER BY due_at, return_id LIMIT :limit {skip_locked}
        )
        UPDATE lw_cases SET fence = fence + 1, lease_token = :token, lease_until = {now} + :lease
        FROM picked WHERE lw_cases.shop = picked.shop AND lw_cases.return_id = picked.return_id
        RETURNING lease_until
    """
    lease_one: str = """
        INSERT INTO lw_cases (shop, return_id, due_at, created_at, fence, lease_token, lease_until)
        VALUES (:shop, :return_id, :at, :at, 1, :token, {now} + :lease)
        ON CONFLICT (shop, return_id) DO UPDATE SET
            fence = lw_cases.fence + 1, lease_token = excluded.lease_token, lease_until = excluded.lease_until,
            due_at = CASE WHEN lw_cases.due_at < excluded.due_at THEN lw_cases.due_at ELSE excluded.due_at END
        WHERE lw_cases.lease_until IS NULL OR lw_cases.lease_until <= {now}
        RETURNING lease_until
    """
    #: What one claim has leased: its cases share token and end, so the index of leases finds them. CROSS JOIN: from the cases
    #: to their events, which SQLite might do the other way round.
    claimed: str = """
        SELECT c.return_id, c.fence, j.journal
        FROM lw_cases c {by_lease} LEFT JOIN lw_journals j ON j.shop = c.shop AND j.return_id = c.return_id
        WHERE c.shop = :shop AND c.lease_until = :lease_until AND c.lease_token = :token
        ORDER BY c.due_at, c.return_id
    """
    claimed_unread: str = """
        SELECT {event} FROM lw_cases c {by_lease} CROSS JOIN lw_events e
        WHERE c.shop = :shop AND c.lease_until = :lease_until AND c.lease_token = :token
        AND e.shop = :shop AND e.return_id = c.return_id AND e.digest IS NOT NULL
        ORDER BY e.seq
    """

    # ---------------------------------------------------------------------------------------------- fenced writes

    guard: str = """
        SELECT forgotten FROM lw_cases
        WHERE shop = :shop AND return_id = :return_id AND fence = :fence AND lease_token = :token AND lease_until > {clock} {lock}
    """
    has_unread: str = "SELECT 1 FROM lw_events e WHERE {still_unread} AND e.seq > :read_to LIMIT 1"
    mark_read: str = """
        UPDATE lw_events SET digest = NULL, body = CASE WHEN :forgotten THEN :nothing ELSE body END
        WHERE shop = :shop AND return_id = :return_id AND digest IS NOT NULL AND seq <= :read_to
    """
    write_journal: str = """
        INSERT INTO lw_journals (shop, return_id, journal) VALUES (:shop, :return_id, :journal)
        ON CONFLICT (shop, return_id) DO UPDATE SET journal = excluded.journal
    """
    write_all: str = """
        INSERT INTO lw_journals (shop, return_id, journal, summary, has_breaks, updated_at)
        VALUES (:shop, :return_id, :journal, :summary, :has_breaks, :at)
        ON CONFLICT (shop, return_id) DO UPDATE SET
            journal = excluded.journal, summary = excluded.summary, has_breaks = excluded.has_breaks, updated_at = excluded.updated_at
    """
    withdraw: str = "DELETE FROM lw_intents WHERE shop = :shop AND return_id = :return_id AND kind = :kind AND ordinal = :ordinal"
    intend: str = """
        INSERT INTO lw_intents (shop, return_id, kind, ordinal, intended_at, evidence)
        VALUES (:shop, :return_id, :kind, :ordinal, :at, :evidence)
        ON CONFLICT (shop, return_id, kind, ordinal) DO NOTHING
    """
    give_back: str = """
        UPDATE lw_cases SET due_at = :due_at, lease_until = NULL, lease_token = NULL WHERE shop = :shop AND return_id = :return_id
    """

    # ---------------------------------------------------------------------------------------------- read

    case: str = "SELECT {row} FROM {cases} WHERE c.shop = :shop AND c.return_id = :return_id"
    history: str = "SELECT {event} FROM lw_events e WHERE e.shop = :shop AND e.return_id = :return_id ORDER BY e.seq"
    unread: str = "SELECT {event} FROM lw_events e WHERE {still_unread} ORDER BY e.seq"
    asides: str = """
        SELECT {event} FROM lw_events e
        WHERE e.seq IN (SELECT seq FROM lw_events WHERE shop = :shop AND return_id = 0 ORDER BY seq DESC LIMIT :limit) ORDER BY e.seq DESC
    """
    open_cases: str = """
        SELECT {row} FROM {cases}
        WHERE c.shop = :shop AND c.return_id > :after AND c.due_at IS NOT NULL ORDER BY c.return_id LIMIT :limit
    """
    cases_with_breaks: str = """
        SELECT {row} FROM lw_journals j JOIN lw_cases c ON c.shop = j.shop AND c.return_id = j.return_id
        WHERE j.shop = :shop AND j.return_id > :after AND j.has_breaks ORDER BY j.return_id LIMIT :limit
    """
    count_cases: str = "SELECT COUNT(*) FROM lw_cases WHERE shop = :shop"
    count_open: str = "SELECT COUNT(*) FROM lw_cases WHERE shop = :shop AND due_at IS NOT NULL"
    count_waiting: str = """
        SELECT COUNT(*), MIN(due_at) FROM lw_cases WHERE shop = :shop AND lease_until IS NULL AND due_at IS NOT NULL AND due_at <= :at
    """
    count_taken: str = """
        SELECT COUNT(*), MIN(due_at) FROM lw_cases
        WHERE shop = :shop AND lease_until IS NOT NULL AND lease_until > {long_ago} AND due_at <= :at
    """
    count_leased: str = "SELECT COUNT(*) FROM lw_cases WHERE shop = :shop AND lease_until IS NOT NULL AND lease_until > {now}"
    count_events: str = "SELECT COUNT(*) FROM lw_events WHERE shop = :shop"
    count_asides: str = "SELECT COUNT(*) FROM lw_events WHERE shop = :shop AND return_id = 0"

    # ---------------------------------------------------------------------------------------------- facts, retention

    get: str = "SELECT value FROM lw_facts WHERE shop = :shop AND name = :name"
    put: str = """
        INSERT INTO lw_facts (shop, name, value) VALUES (:shop, :name, :value)
        ON CONFLICT (shop, name) DO UPDATE SET value = excluded.value
    """
    put_first: str = "INSERT INTO lw_facts (shop, name, value) VALUES (:shop, :name, :value) ON CONFLICT (shop, name) DO NOTHING"
    remove: str = "DELETE FROM lw_facts WHERE shop = :shop AND name = :name"
    #: Retention goes through the events in stretches of `seq`, so that no webhook waits for long. (The shop is not looked up
    #: by an index, or SQLite would go through all its events for each stretch.)
    stretch: str = "SELECT MAX(seq) FROM (SELECT seq FROM lw_events WHERE seq > :after ORDER BY seq LIMIT :limit) AS ahead"
    expire: str = """
        DELETE FROM lw_events WHERE seq > :after AND seq <= :upto AND shop || '' = :shop AND happened_at < :before AND (
            return_id = 0 OR EXISTS (
                SELECT 1 FROM lw_cases c WHERE c.shop = lw_events.shop AND c.return_id = lw_events.return_id AND c.due_at IS NULL
            )
        )
    """
    #: What is left of these belongs to cases that are still open.
    blank: str = """
        UPDATE lw_events SET body = :nothing
        WHERE seq > :after AND seq <= :upto AND shop || '' = :shop AND happened_at < :before
        AND return_id <> 0 AND digest IS NULL AND LENGTH(body) > 0
    """
    lock_case: str = "SELECT 1 FROM lw_cases WHERE shop = :shop AND return_id = :return_id {lock}"
    forget_events: str = "UPDATE lw_events SET body = :nothing WHERE shop = :shop AND return_id = :return_id AND digest IS NULL"
    forget_summary: str = "UPDATE lw_journals SET summary = NULL, has_breaks = FALSE WHERE shop = :shop AND return_id = :return_id"
    forget_case: str = "UPDATE lw_cases SET forgotten = TRUE WHERE shop = :shop AND return_id = :return_id"

    @classmethod
    def in_words(cls, words: Words) -> Statements:
        """All of them in one dialect."""
        return cls(**{field.name: words.fill(field.default or "") for field in attrs.fields(cls)})
