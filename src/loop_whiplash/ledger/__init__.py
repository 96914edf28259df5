"""What must outlive the process: one protocol, three ledgers (memory, SQLite, PostgreSQL), one conformance suite."""
