"""The griffe extension that mkdocstrings runs the docstrings of this library through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import clear


class OneLineAName(griffe.Extension):
    """Clears every docstring of the package once it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Called by griffe."""
        self._walk(pkg)

    def _walk(self, thing: griffe.Object) -> None:
        for member in list(thing.members.values()):
            if member.is_alias:
                continue
            if member.docstring is not None:
                parameters = [each.name for each in member.parameters] if member.is_function or member.is_class else []
                attributes = [name for name, each in member.members.items() if each.is_attribute] if member.is_class else []
                member.docstring.value = clear(
                    member.docstring.value, parameters=parameters, attributes=attributes, fields=dict(_fields(member))
                )
            if member.is_module or member.is_class:
                self._walk(member)


def _fields(thing: griffe.Object) -> Iterator[tuple[str, str]]:
    """The fields of an attrs class and their types, as one who uses it sees them."""
    if thing.is_class and any(str(each.value).startswith("attrs.") for each in thing.decorators):
        for name, member in thing.members.items():
            kind = str(member.annotation) if member.is_attribute and member.annotation is not None else "ClassVar"
            if (
                not name.startswith("_")
                and "property" not in member.labels
                and "ClassVar" not in kind
                and "init=False" not in str(member.value)
            ):
                yield name, kind
