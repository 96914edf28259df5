"""What a fake system answers where it does not do what it was asked."""

from __future__ import annotations

__all__ = ["Trouble", "number_of"]


class Trouble(Exception):
    """An answer that is not the one hoped for."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def number_of(text: str) -> int:
    """The id in a path; -1 for what is none."""
    return int(text) if text.isdigit() else -1
