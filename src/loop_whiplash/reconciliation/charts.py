"""The two drawings of the page, as inline SVG: how far the returns have come, and how old the breaks are."""

from __future__ import annotations

from collections.abc import Sequence

from .ageing import BUCKETS, bucket_of, days_of
from .report import COUNTED_ONLY, Flow, Report

__all__ = ["ageing_svg", "flow_svg"]

_WIDE = 360
_STAGES = (("returns", "Loop returns"), ("announced", "with an RMA"), ("received", "received"), ("decided", "decided"))


def flow_svg(flow: Flow) -> str:
    """Four bars, one below the other, each as long as its share of the returns; what joins them narrows with them."""
    counts = [getattr(flow, name) for name, _ in _STAGES]
    most = max(*counts, 1)
    lengths = [_WIDE * count / most for count in counts]
    parts = []
    for position, ((_, label), count, length) in enumerate(zip(_STAGES, counts, lengths, strict=True)):
        top = 18 + 50 * position
        share = f" ({count / flow.returns:.1%})" if position and flow.returns else ""
        parts.append(f'<text x="0" y="{top - 5}">{label}</text>')
        parts.append(f'<text x="{_WIDE}" y="{top - 5}" text-anchor="end">{count:,}{share}</text>')
        parts.append(f'<rect class="bar" x="0" y="{top}" width="{length:.1f}" height="14" rx="2"/>')
        if position + 1 < len(_STAGES):
            below = lengths[position + 1]
            points = f"0,{top + 14} {length:.1f},{top + 14} {below:.1f},{top + 50} 0,{top + 50}"
            parts.insert(0, f'<polygon class="bar-soft" opacity="0.35" points="{points}"/>')
    said = ", ".join(f"{label} {count:,}" for (_, label), count in zip(_STAGES, counts, strict=True))
    return _svg(190, f"Flow: {said}", parts)


def ageing_svg(report: Report) -> str:
    """A column a bucket: below, what waits for a person; above it, lighter, what heals by itself."""
    todo = [found for found in report.breaks if found.code not in COUNTED_ONLY]
    heals, waits = dict.fromkeys(BUCKETS, 0), dict.fromkeys(BUCKETS, 0)
    for found in todo:
        (heals if found.heals else waits)[bucket_of(days_of(found, report.at))] += 1
    columns = [(bucket, waits[bucket], heals[bucket]) for bucket in BUCKETS]
    return _svg(190, "Ageing: " + ", ".join(f"{bucket} days {w + h:,}" for bucket, w, h in columns), list(_columns(columns)))


def _columns(columns: Sequence[tuple[str, int, int]]) -> Sequence[str]:
    most = max(*(waits + heals for _, waits, heals in columns), 1)
    step, parts = _WIDE / len(columns), [f'<line class="axis" x1="0" y1="150" x2="{_WIDE}" y2="150"/>']
    for position, (bucket, waits, heals) in enumerate(columns):
        left, middle = position * step + 8, position * step + step / 2
        low, high = 128 * waits / most, 128 * heals / most
        if waits:
            parts.append(f'<rect class="bar" x="{left:.1f}" y="{150 - low:.1f}" width="{step - 16:.1f}" height="{low:.1f}"/>')
        if heals:
            parts.append(f'<rect class="bar-soft" x="{left:.1f}" y="{150 - low - high:.1f}" width="{step - 16:.1f}" height="{high:.1f}"/>')
        if waits + heals:
            parts.append(f'<text x="{middle:.1f}" y="{145 - low - high:.1f}" text-anchor="middle">{waits + heals:,}</text>')
        parts.append(f'<text class="soft" x="{middle:.1f}" y="166" text-anchor="middle">{bucket}</text>')
    parts.append('<text class="soft" x="0" y="185">age in days</text>')
    for left, look, what in ((110, "bar", "for a person"), (220, "bar-soft", "heals by itself")):
        parts.append(
            f'<rect class="{look}" x="{left}" y="176" width="10" height="10"/><text class="soft" x="{left + 15}" y="185">{what}</text>'
        )
    return parts


def _svg(high: int, said: str, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDE} {high}" role="img" aria-label="{said}">{"".join(parts)}</svg>'
