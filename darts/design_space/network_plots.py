"""Plots of single AnyNets: the widths of the blocks, with groups and bottlenecks or a fitted line.

As in RegNet (arXiv 2003.13678, Figs 8, 12 and 15).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from darts.design_space.linear_fit import LinearFit, block_widths, fit_lines
from darts.design_space.population import Population
from darts.models.anynet.config import AnyNetConfig
from darts.report.frame import Margins, dress
from darts.report.style import CURVES, INK, LINE, MUTED

_WIDTH, _INNER, _LINE = CURVES[0], "#9cc7e4", CURVES[1]


def chosen_networks(population: Population, each: int = 3) -> tuple[tuple[str, int], ...]:
    """The best, middle and worst networks, up to `each` of them: (rank in words, index)."""
    order = np.argsort(population.errors, kind="stable")
    count = min(each, len(order) // 3) or 1
    middle = (len(order) - count) // 2
    ranks = [
        *range(count),
        *range(middle, middle + count),
        *range(len(order) - count, len(order)),
    ]
    ranks = sorted({rank for rank in ranks if 0 <= rank < len(order)})
    return tuple((f"{rank + 1} of {len(order)}", int(order[rank])) for rank in ranks)


def plot_networks(population: Population, chosen: Sequence[tuple[str, int]]) -> Figure:
    """Plot networks as bars, one per block: its width, and inside it that of the bottleneck.

    The label below names depth, width, group width and bottleneck ratio of each stage.

    Args:
        population: Has the networks.
        chosen: Title and index of each network; see `chosen_networks`.
    """

    def draw(axes: Axes, index: int) -> None:
        _draw_network(axes, population.configs[index])

    figure = _panels(population, chosen, draw, height=2.5)
    figure.legend(
        handles=[Patch(color=_WIDTH), Patch(color=_INNER)],
        labels=["width of the block", "width of its 3×3 convolution (b > 1)"],
        loc="lower left",
        ncols=2,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
    )
    return figure


def plot_fits(population: Population, chosen: Sequence[tuple[str, int]]) -> Figure:
    """Plot the width of each block, the nearest quantised line, and that line unquantised."""
    fits = dict(
        zip(
            (index for _, index in chosen),
            fit_lines([population.configs[index] for _, index in chosen]),
            strict=True,
        )
    )

    def draw(axes: Axes, index: int) -> None:
        _draw_fit(axes, population.configs[index], fits[index])

    figure = _panels(population, chosen, draw, height=2.2)
    handles = figure.axes[0].get_lines()[:3]
    figure.legend(
        handles=handles,
        labels=["width of the block", "quantised line (Eq. 4)", "line (Eq. 2)"],
        loc="lower left",
        ncols=3,
        frameon=False,
        labelcolor=INK,
        fontsize=9,
    )
    return figure


def plot_best_widths(population: Population, best: int = 20) -> tuple[Figure, float]:
    """Plot the widths of the best networks, and the line a·(j + 1) fitted to them (§3.3).

    Args:
        population: Has the networks.
        best: Number of networks.

    Returns:
        The figure, and a by least squares (the paper finds 48 for AnyNetX_E at 400 M
        multiply-adds).
    """
    order = np.argsort(population.errors, kind="stable")[:best]
    widths = [block_widths(population.configs[index]) for index in order]
    blocks = np.concatenate([np.arange(1, len(one) + 1) for one in widths])
    flat = np.concatenate(widths)
    # Least squares through the origin.
    slope = float((blocks * flat).sum() / (blocks**2).sum())
    figure = Figure(figsize=(6.2, 3.3), layout="constrained")
    axes = figure.add_subplot()
    for one in widths:
        x = np.arange(len(one))
        axes.plot(x, one, color=_WIDTH, alpha=0.35, linewidth=1.2, drawstyle="steps-mid")
    deepest = max(len(one) for one in widths)
    x = np.arange(deepest)
    axes.plot(x, slope * (x + 1), color=_LINE, linewidth=2.4, label=f"{slope:.0f}·(j + 1)")
    axes.plot([], [], color=_WIDTH, alpha=0.6, linewidth=1.2, label=f"the {len(order)} best")
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set(xlabel="block j", ylabel="width")
    figure.legend(loc="outside lower left", ncols=2, frameon=False, labelcolor=INK, fontsize=9)
    return figure, slope


def _panels(
    population: Population,
    chosen: Sequence[tuple[str, int]],
    draw: Callable[[Axes, int], None],
    height: float,
) -> Figure:
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(0.4 + 3.3 * columns, 0.3 + height * rows))
    panels = figure.subplots(rows, columns, squeeze=False)
    Margins(left=46, top=20, bottom=58, across=36, down=58).apply(figure, rows, columns)
    for number, axes in enumerate(panels.flat):
        if number >= len(chosen):
            axes.set_axis_off()
            continue
        words, index = chosen[number]
        draw(axes, index)
        dress(axes)
        axes.tick_params(labelsize=8)
        title = f"{words}:  error {population.errors[index]:.1f} %"
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        if number % columns == 0:
            axes.set_ylabel("width", fontsize=9)
    return figure


def _draw_network(axes: Axes, config: AnyNetConfig) -> None:
    start = 0
    for stage in config.stages:
        x = start + np.arange(stage.depth)
        axes.bar(x, stage.width, width=0.86, color=_WIDTH, linewidth=0)
        if config.block in ("x", "r") and stage.inner_width != stage.width:
            axes.bar(x, stage.inner_width, width=0.5, color=_INNER, linewidth=0)
        if start:
            axes.axvline(start - 0.5, color=LINE, linewidth=0.8, linestyle=":")
        start += stage.depth
    axes.set_xlim(-0.7, start - 0.3)
    # Labels under narrow stages would overlap: they are below all stages, two per line.
    axes.set_xticks([])
    words = [stage_label(config, index) for index in range(len(config.stages))]
    lines = [",  ".join(words[start : start + 2]) for start in range(0, len(words), 2)]
    axes.set_xlabel("\n".join(lines), fontsize=8)


def stage_label(config: AnyNetConfig, index: int) -> str:
    """A stage in short: "4×152 g8 b2" has 4 blocks of width 152, group width 8, bottleneck 2."""
    stage = config.stages[index]
    words = f"{stage.depth}×{stage.width}"
    if config.block == "x":
        words += f" g{stage.group_width}"
    if config.block in ("x", "r") and stage.bottleneck != 1:
        words += f" b{stage.bottleneck:g}"
    return words


def _draw_fit(axes: Axes, config: AnyNetConfig, fit: LinearFit) -> None:
    widths = block_widths(config)
    x = np.arange(len(widths))
    axes.plot(x, widths, color=_WIDTH, linewidth=2.2, drawstyle="steps-mid", marker="o", ms=3)
    axes.plot(x, fit.widths(len(x)), color=_LINE, linewidth=1.6, drawstyle="steps-mid")
    axes.plot(x, fit.line(len(x)), color=MUTED, linewidth=1.2, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    words = f"e_fit {fit.error:.2f}:  w₀ {fit.w0},  wₐ {fit.wa:.1f},  wₘ {fit.wm:.2f}"
    axes.set_xlabel(words, fontsize=8)
