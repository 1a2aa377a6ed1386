"""How cells and curves look: one palette and one wording for graphviz, matplotlib and HTML.

The hues are those of Okabe and Ito's colour-blind safe set, darkened until text in them has enough
contrast on white; a picture never relies on colour alone, every operation is also written out.
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
    """A family of operations: its wording in legends, line colour and fill."""

    label: str
    line: str
    fill: str


POOL = OperationFamily("pooling", "#0069a8", "#dcedf9")
SKIP = OperationFamily("skip", "#5b6472", "#eceff3")
SEPARABLE = OperationFamily("separable convolution", "#bd4f00", "#fde8d9")
DILATED = OperationFamily("dilated convolution", "#007a5a", "#d8f2e9")
OTHER = OperationFamily("other operation", "#96437c", "#f7e4f0")
OPERATION_FAMILIES = (POOL, SKIP, SEPARABLE, DILATED, OTHER)

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
}
"""Colours of the candidates' curves: the hue of the family, dark for the smaller kernel."""


def operation_family(operation: str) -> OperationFamily:
    """The family of an operation, by its name."""
    if "pool" in operation:
        return POOL
    prefixes = {"skip": SKIP, "sep_": SEPARABLE, "dil_": DILATED}
    return next((prefixes[key] for key in prefixes if operation.startswith(key)), OTHER)


def operation_label(operation: str) -> str:
    """An operation in words: `sep_conv_3x3` is "sep conv 3×3", `skip_connect` is "skip"."""
    words = operation.replace("skip_connect", "skip").replace("_", " ")
    return re.sub(r"(?<=\d)x(?=\d)", "×", words)


def cell_title(kind: str) -> str:
    """The kind of a cell in words."""
    return {"normal": "normal cell", "reduce": "reduction cell"}[kind]


def state_name(state: int) -> str:
    """A state's name in running text: the inputs are c(k−2) and c(k−1), then node 0, 1, …"""
    return ("c(k−2)", "c(k−1)")[state] if state < 2 else f"node {state - 2}"


def plain_text(text: str) -> str:
    """One line of text in which matplotlib sees no formula."""
    return " ".join(text.splitlines()).replace("$", r"\$")
