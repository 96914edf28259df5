"""From JSON to frozen values: one field table a class, read twice at most.

Both vendors' documentation is loose and their answers are looser: ids come as numbers or text, "nothing" is null,
``""`` or ``"N/A"``, the same field has two names. Each model states, beside each attribute, under which names it
arrives and how it is read; that class body *is* the table. From it comes

1. a straight-line builder: code without loops or look-ups, generated once a class on first use. All good payloads take it;
2. when it stumbles, a slow pass over the same table that collects every problem with its path into `DecodeError.problems`.

Rules of reading, the same everywhere:

* ids and money that cannot be read are errors; a *soft* field (times, labels, texts for people) that cannot be read is
  None and stays in ``.raw``: one odd date must not hide a return from those who wait for it.
* ``"N/A"``, ``""`` and null are None. Nothing is coerced: ``"false"`` is no boolean, ``5.9`` is no quantity.
* money is `Decimal` and never passes through a float: JSON text is read again exactly where a number has a fraction.
* unknown fields stay in ``.raw``, unknown values of an enumeration stay as text.
* what was read is never quoted in an error: it may be somebody's address.
"""

from __future__ import annotations

from .build import Record, converter, decode, decode_json, decode_many
from .fields import count, derived, flag, ident, many, mapping, money, number, number_id, one, text, texts, when
from .json_text import MAX_DEPTH, NotJson, loads, loads_object
from .values import Unreadable, is_nothing

__all__ = [
    "MAX_DEPTH",
    "NotJson",
    "Record",
    "Unreadable",
    "converter",
    "count",
    "decode",
    "decode_json",
    "decode_many",
    "derived",
    "flag",
    "ident",
    "is_nothing",
    "loads",
    "loads_object",
    "many",
    "mapping",
    "money",
    "number",
    "number_id",
    "one",
    "text",
    "texts",
    "when",
]
