"""The look of cells and curves: one palette and one wording for graphviz, matplotlib and HTML.

The hues are those of the colour-blind safe palette of Okabe and Ito, darkened so that text has
enough contrast on white. No picture relies on colour alone: each operation is also written out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INK = "#1f2937"
MUTED = "#6b7280"
LINE = "#98a2b3"
PAPER = "#ffffff"
CELL_DPI = 160
"""Pixels per inch of drawn cells."""


@dataclass(frozen=True)
class OperationFamily:
    """A family of operations.

    Attributes:
        label: Entry of legends.
        line: Colour of lines.
        fill: Colour of boxes.
    """

    label: str
    line: str
    fill: str


POOL = OperationFamily("pooling", "#0069a8", "#dcedf9")
SKIP = OperationFamily("skip", "#5b6472", "#eceff3")
SEPARABLE = OperationFamily("separable convolution", "#bd4f00", "#fde8d9")
DILATED = OperationFamily("dilated convolution", "#007a5a", "#d8f2e9")
PLAIN = OperationFamily("convolution", "#a07800", "#f8f0d6")
ABSENT = OperationFamily("no edge", "#6b7280", "#f9fafb")
OTHER = OperationFamily("other operation", "#96437c", "#f7e4f0")
OPERATION_FAMILIES = (POOL, SKIP, SEPARABLE, DILATED, PLAIN, ABSENT, OTHER)

CURVES = ("#0069a8", "#bd4f00", "#007a5a", "#96437c", "#a07800", "#3a9bd1", "#5b6472", "#7a3b10")
"""Colours of overlaid curves, in order."""

OPERATION_COLOURS = {
    "none": "#9ca3af",
    "max_pool_3x3": "#0069a8",
    "avg_pool_3x3": "#56b4e9",
    "skip_connect": "#3b4250",
    "sep_conv_3x3": "#bd4f00",
    "sep_conv_5x5": "#f0a03c",
    "dil_conv_3x3": "#007a5a",
    "dil_conv_5x5": "#5cc9a0",
    "nor_conv_1x1": "#d3aa2f",
    "nor_conv_3x3": "#a07800",
    "noise": "#96437c",
}
"""Colours of curves of operations: the hue of the family, darker for the smaller kernel."""


def operation_family(operation: str) -> OperationFamily:
    """The family of an operation, by its name.

    >>> operation_family("sep_conv_5x5").label
    'separable convolution'
    """
    if "pool" in operation:
        return POOL
    prefixes = {"skip": SKIP, "sep_": SEPARABLE, "dil_": DILATED, "nor_": PLAIN, "none": ABSENT}
    return next((prefixes[key] for key in prefixes if operation.startswith(key)), OTHER)


def operation_label(operation: str) -> str:
    """An operation in words.

    >>> operation_label("sep_conv_3x3"), operation_label("skip_connect")
    ('sep conv 3×3', 'skip')
    """
    words = operation.replace("skip_connect", "skip").replace("_", " ")
    return re.sub(r"(?<=\d)x(?=\d)", "×", words)


def cell_title(kind: str) -> str:
    """The kind of a cell (`normal`, `reduce`) in words."""
    return {"normal": "normal cell", "reduce": "reduction cell"}[kind]


def state_name(state: int, inputs: int = 2) -> str:
    """Name of a state in text: the inputs are c(k−2) and c(k−1), then come node 0, 1, …

    >>> state_name(0), state_name(2), state_name(0, inputs=1)
    ('c(k−2)', 'node 0', 'c(k−1)')
    """
    return f"c(k−{inputs - state})" if state < inputs else f"node {state - inputs}"


def plain_text(text: str) -> str:
    """Text on one line, escaped so that matplotlib does not read it as a formula."""
    return " ".join(text.splitlines()).replace("$", r"\$")
