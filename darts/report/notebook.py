"""How results look in a shell and in a notebook: one line, and a small table with the cells."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from darts.report.cell_images import at_one_scale
from darts.report.draw import render_cell
from darts.report.style import cell_title
from darts.report.tables import Row
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

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """Titles and rows of further tables for notebooks, the head first; by default none."""
        return ()

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
        tables = "".join(table_html(*one) for one in self.tables())
        return f"<table>{rows}</table>{tables}{cells}"


def table_html(title: str, rows: Sequence[Row]) -> str:
    """A table for notebooks.

    >>> table_html("Costs", [("network", "parameters"), ("a<b", "12")])[-47:]
    '<td>a&lt;b</td><td>12</td></tr></tbody></table>'

    Args:
        title: Stands above it.
        rows: Its rows; the first is the head.
    """
    head, *body = ("".join(f"<td>{escape(one)}</td>" for one in row) for row in rows)
    head = head.replace("td>", "th>")
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return (
        f"<p><b>{escape(title)}</b></p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def cells_html(genotype: Genotype) -> str:
    """The cells of a genotype as pictures at one scale, for notebooks.

    >>> from genotypes import load_genotype
    >>> cells_html(load_genotype("darts_v2")).count("<img")
    2
    """
    drawn = [
        (f"{cell_title(kind)} of {genotype.name}", render_cell(genotype, kind))
        for kind in genotype.kinds
    ]
    return "".join(
        f'<p style="max-width: {one.limit:.0f}px"><img alt="{escape(one.title, quote=True)}" '
        f'style="width: {one.share}%; background: #fff" src="{one.address}"></p>'
        for one in at_one_scale(drawn)
    )
