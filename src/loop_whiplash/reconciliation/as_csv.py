"""The breaks as CSV for a spreadsheet, which takes text of a shopper's for a formula if it is let."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from loop_whiplash.planning.model import Break
from loop_whiplash.redaction import shown

from .ageing import bucket_of, days_of
from .report import Report

__all__ = ["COLUMNS", "report_to_csv"]

COLUMNS = (
    "code", "return_id", "consumer_return_id", "order_name", "tracking", "since", "age_bucket", "money", "currency", "owner",
    "heals", "acknowledged_until", "reason", "loop_says", "whiplash_says", "next_step",
)  # fmt: skip
"""The header. Later versions add columns at the end."""

# https://owasp.org/www-community/attacks/CSV_Injection; the full-width forms are read as the plain ones by some programs.
_FORMULA = tuple("=+-@\t\r\n|%＝＋－＠")


def report_to_csv(report: Report, *, personal: bool) -> str:
    """See `Report.to_csv`. RFC 4180: lines end in CR LF; UTF-8 when written out."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(found, report, personal) for found in report.breaks)
    return written.getvalue()


def _row(found: Break, report: Report, personal: bool) -> Iterator[str]:
    yield _text(shown(found.code))
    yield str(found.return_id) if found.return_id is not None else ""
    yield str(found.consumer_return_id) if found.consumer_return_id is not None else ""
    yield _text(shown(found.order_name, personal=personal))
    yield _text(shown(found.tracking, personal=personal))
    yield found.since.isoformat() if found.since is not None else ""
    # A spreadsheet reads "2-3" as the second of March.
    yield f"{bucket_of(days_of(found, report.at))} days"
    yield f"{found.money:f}" if found.money is not None else ""
    yield _text(shown(found.currency))
    yield _text(shown(found.owner))
    yield "yes" if found.heals else "no"
    yield found.acknowledged.until.isoformat() if found.acknowledged is not None else ""
    for text in (found.reason, found.loop_says, found.whiplash_says, found.next_step):
        yield _text(shown(text, personal=personal))


def _text(text: str) -> str:
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
