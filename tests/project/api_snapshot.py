"""The public face as text: every public class with its attributes and methods, every function with its parameters.

``python tests/project/api_snapshot.py > tests/project/api.txt`` writes down what is there now.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

import loop_whiplash
import loop_whiplash.simulator
import loop_whiplash.testing


def _default(value: Any) -> str:
    """A default in few words: what it is when it is plain, else its type."""
    if value is None or isinstance(value, (bool, int, float, str, tuple, frozenset)):
        return repr(value)
    return f"<{getattr(value, '__name__', type(value).__name__)}>"


def _parameters(function: Any) -> str:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "…"
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    words, keyword = [], False
    for each in found:
        if each.name in ("self", "cls"):
            continue
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not keyword:
            keyword = True
            words.append("*")
        keyword = keyword or each.kind is inspect.Parameter.VAR_POSITIONAL
        default = "" if each.default is inspect.Parameter.empty else f"={_default(each.default)}"
        words.append(marks.get(each.kind, "") + each.name + default)
    return ", ".join(words)


def _members(kind: type) -> Iterator[str]:
    fields = {field.name: field for field in attrs.fields(kind)} if attrs.has(kind) else {}
    for name, field in fields.items():
        if not name.startswith("_"):
            default: Any = field.default
            written = "" if default is attrs.NOTHING else " = …" if "Factory" in type(default).__name__ else f" = {_default(default)}"
            yield f"    {name}{written}"
    for name in sorted(set(dir(kind))):
        if name.startswith("_") or name in dir(BaseException) or name in fields:
            continue
        value = inspect.getattr_static(kind, name)
        owner = next((base for base in kind.__mro__ if name in vars(base)), kind)
        if not owner.__module__.startswith("loop_whiplash"):
            continue
        if isinstance(value, property):
            yield f"    {name} (property)"
        elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value):
            yield f"    {name}({_parameters(getattr(kind, name))})"
        else:
            yield f"    {name}"


def _described(module: Any) -> Iterator[str]:
    for name in sorted(module.__all__):
        value = getattr(module, name)
        title = f"{module.__name__}.{name}"
        if inspect.isclass(value):
            if issubclass(value, enum.Enum):  # how it is called differs between Pythons
                yield f"{title} < {value.__bases__[0].__name__}: " + ", ".join(f"{member.name}={member.value!r}" for member in value)
                continue
            bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
            yield f"{title}({_parameters(value)}) < {bases}" if bases else f"{title}({_parameters(value)})"
            yield from _members(value)
        elif inspect.isroutine(value):
            yield f"{title}({_parameters(value)})"
        elif isinstance(value, Mapping):
            yield f"{title} = {', '.join(map(str, value))}"
        else:
            yield f"{title} = {re.sub(r' at 0x[0-9a-f]+', '', str(value))}"


def snapshot() -> str:
    """All three public modules."""
    modules = (loop_whiplash, loop_whiplash.simulator, loop_whiplash.testing)
    return "\n".join(line for module in modules for line in _described(module)) + "\n"


if __name__ == "__main__":
    print(snapshot(), end="")
