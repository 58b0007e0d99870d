"""A bar chart of what was measured, as SVG.

In come panels of bars, each a ratio with its spread; out comes one picture, on a logarithmic scale, with a line at 1
where both sides are as fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.measure import Spread

__all__ = ["Panel", "chart"]

_WIDTH, _LABELS, _VALUES = 860, 230, 70
_PLOT = _WIDTH - _LABELS - _VALUES
_ROW, _BAR, _HEAD, _GAP = 20, 12, 44, 26
_STEPS = (1, 2, 5)
_MOST_TICKS = 8
_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-size: 15px; font-weight: 600 }
.axis { font-size: 10px; fill: #57606a; text-anchor: middle } .label { text-anchor: end }
.grid { stroke: #d8dee4 } .one { stroke: #24292f } .spread { stroke: #24292f; stroke-width: 1.5 }
.bar { fill: #8fb6e8 } .mean { fill: #1f5fb4 }"""


@dataclass(frozen=True)
class Panel:
    """A title and bars by name.  marked: names of bars that stand out, such as means."""

    title: str
    bars: dict[str, Spread]
    marked: frozenset[str] = frozenset()

    @property
    def height(self) -> int:
        """In pixels."""
        return _HEAD + _ROW * len(self.bars) + _GAP


def chart(panels: Sequence[Panel]) -> str:
    """The panels below each other."""
    panels = [panel for panel in panels if panel.bars]
    height = sum(panel.height for panel in panels) + _GAP // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
    ]
    top = _GAP // 2
    for panel in panels:
        parts += _panel(panel, top)
        top += panel.height
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: int) -> list[str]:
    values = [value for spread in panel.bars.values() for value in spread]
    low, high = min(1.0, *values) / 1.1, max(1.0, *values) * 1.1

    def x(value: float) -> float:
        return round(_LABELS + _PLOT * math.log(value / low) / math.log(high / low), 1)

    bottom = top + _HEAD + _ROW * len(panel.bars)
    parts = [f'<text class="title" x="10" y="{top + 14}">{escape(panel.title)}</text>']
    for tick in _ticks(low, high):
        kind = "one" if tick == 1 else "grid"
        parts.append(f'<line class="{kind}" x1="{x(tick)}" x2="{x(tick)}" y1="{top + _HEAD - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x(tick)}" y="{top + _HEAD - 12}">{tick:g}</text>')
    for at, (name, spread) in enumerate(panel.bars.items()):
        y = top + _HEAD + _ROW * at
        left, right = sorted((x(1), x(spread.median)))
        kind, middle = "mean" if name in panel.marked else "bar", y + _BAR / 2
        parts += [
            f'<text class="label" x="{_LABELS - 8}" y="{y + 10}">{escape(name)}</text>',
            f'<rect class="{kind}" x="{left}" y="{y}" width="{max(right - left, 1):.1f}" height="{_BAR}"/>',
            f'<line class="spread" x1="{x(spread.least)}" x2="{x(spread.most)}" y1="{middle}" y2="{middle}"/>',
            f'<text x="{_WIDTH - _VALUES + 10}" y="{y + 10}">{spread.median:.3g}</text>',
        ]
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the scale: 1, 2 and 5 times powers of ten, or powers alone where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (_STEPS, _STEPS[:1]):
        ticks = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    return ticks
