"""How results look in a shell and in a notebook: one line, and a small table with the cells."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from darts.report.cell_images import data_uri
from darts.report.draw import render_cell
from darts.report.style import cell_title
from genotypes import Genotype

Figures = Sequence[tuple[str, str]]
"""Names and values of the main numbers of a result."""


class Summarised:
    """A result with a short `repr` and a picture in notebooks.

    Its dataclass is declared with `repr=False`.

    >>> class Found(Summarised):
    ...     def figures(self):
    ...         return [("accuracy", "97.50 %"), ("time", "12 s")]
    >>> Found()
    <Found: accuracy 97.50 %, time 12 s>
    >>> "<td>97.50 %</td>" in Found()._repr_html_()
    True
    """

    def figures(self) -> Figures:
        """The main numbers."""
        raise NotImplementedError

    def pictured(self) -> Genotype | None:
        """The genotype whose cells are drawn; by default none."""
        return None

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {value}" for name, value in self.figures())
        return f"<{type(self).__name__}: {shown}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in self.figures()
        )
        genotype = self.pictured()
        cells = "" if genotype is None else cells_html(genotype)
        return f"<table>{rows}</table>{cells}"


def cells_html(genotype: Genotype) -> str:
    """The cells of a genotype as pictures, for notebooks.

    >>> from genotypes import load_genotype
    >>> cells_html(load_genotype("darts_v2")).count("<img")
    2
    """
    return "".join(
        f'<p><img alt="{escape(f"{cell_title(kind)} of {genotype.name}", quote=True)}" '
        f'style="max-width: 100%; background: #fff" src="{data_uri(render_cell(genotype, kind))}">'
        "</p>"
        for kind in genotype.kinds
    )
