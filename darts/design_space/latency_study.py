"""Latency of a population's networks at a batch, against multiply-adds and activations.

RegNet (§4, Fig. 12) finds that run time follows activations more closely than multiply-adds. Three
least-squares fits say how closely, for x = multiply-adds or activations:

    linear: t = a + b·x      root: t = a + b·√x      both: t = a + b·x + c·√x
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import ArrayLike

from darts.costs.latency import measure_latency
from darts.design_space.population import Population
from darts.errors import UserError
from darts.files import atomic_write
from darts.models.anynet.cost import anynet_cost
from darts.models.arrays import FloatArray
from darts.models.registry import create_network
from darts.report.frame import Plot, dress, write_plots
from darts.report.study_page import StudyPage
from darts.report.style import CURVES, INK
from darts.report.tables import Row

_COSTS = {"macs": "multiply-adds", "activations": "activations"}
_SHAPES: Mapping[str, tuple[float, ...]] = {"linear": (1.0,), "root": (0.5,), "both": (1.0, 0.5)}
_FEWEST = 4


@dataclass(frozen=True, kw_only=True)
class LatencyFit:
    """A least-squares fit of latencies.

    Attributes:
        cost: `macs` or `activations`.
        shape: "linear", "root" or "both".
        coefficients: a, b and perhaps c.
        r2: Share of the variance that it explains.
    """

    cost: str
    shape: str
    coefficients: tuple[float, ...]
    r2: float

    def at(self, x: ArrayLike) -> FloatArray:
        """The fitted latency (s)."""
        return np.asarray(_design(x, self.shape) @ np.array(self.coefficients), np.float64)


@dataclass(frozen=True, kw_only=True)
class LatencyStudy:
    """Measured latencies with their fits.

    Attributes:
        name: Name of the population.
        batch: Images of a pass.
        resolution: Side of the images in pixels.
        seconds: Latency of each network, `[N]`.
        costs: Multiply-adds and activations for one image, each `[N]`.
        fits: All fits.
    """

    name: str
    batch: int
    resolution: int
    seconds: FloatArray
    costs: Mapping[str, FloatArray]
    fits: tuple[LatencyFit, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "batch": self.batch,
            "resolution": self.resolution,
            "seconds": self.seconds.tolist(),
            **{name: values.tolist() for name, values in self.costs.items()},
            "fits": [
                {
                    "cost": one.cost,
                    "shape": one.shape,
                    "coefficients": list(one.coefficients),
                    "r2": one.r2,
                }
                for one in self.fits
            ],
        }

    def rows(self) -> list[Row]:
        """R² of each fit; the first row is the head."""
        rows: list[Row] = [("latency against", *(f"R², {shape}" for shape in _SHAPES), "Pearson r")]
        for cost, words in _COSTS.items():
            own = [one for one in self.fits if one.cost == cost]
            r = float(np.corrcoef(self.costs[cost], self.seconds)[0, 1])
            rows.append((words, *(f"{one.r2:.3f}" for one in own), f"{r:.3f}"))
        return rows

    def sentence(self) -> str:
        """How much of the latency each cost explains."""
        macs, activations = (
            next(one.r2 for one in self.fits if (one.cost, one.shape) == (cost, "linear"))
            for cost in _COSTS
        )
        return (
            f"Activations explain {100 * activations:.0f} % of the variance of the latency, "
            f"multiply-adds {100 * macs:.0f} % (linear fits)."
        )


def fit_latency(x: ArrayLike, seconds: ArrayLike, cost: str, shape: str) -> LatencyFit:
    """Fit latencies by least squares.

    >>> fit = fit_latency([1.0, 4.0, 9.0, 16.0], [3.0, 5.0, 7.0, 9.0], "activations", "root")
    >>> [round(value, 6) for value in (*fit.coefficients, fit.r2)]
    [1.0, 2.0, 1.0]
    """
    y = np.asarray(seconds, np.float64)
    design = _design(x, shape)
    # Columns of about the same size, so that no term is lost in rounding.
    scale = np.abs(design).max(axis=0)
    solution = np.linalg.lstsq(design / scale, y, rcond=None)[0] / scale
    left = float(((y - design @ solution) ** 2).sum())
    total = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - left / total if total else 0.0
    return LatencyFit(cost=cost, shape=shape, coefficients=tuple(map(float, solution)), r2=r2)


def study_latency(
    population: Population,
    *,
    batch: int,
    device: torch.device,
    resolution: int | None = None,
    turns: int = 2,
) -> LatencyStudy:
    """Measure the networks of a population, all in turns, and fit their latencies.

    Args:
        population: Has the networks.
        batch: Images of a pass.
        device: The device to measure on.
        resolution: Side of the images; by default the networks' own.
        turns: How often each network is measured; the median counts.

    Raises:
        UserError: There are too few networks, or they are not AnyNets.
    """
    if len(population.configs) < _FEWEST:
        raise UserError(
            f"{population.name} has {len(population.configs)} trained networks; the fits need "
            f"{_FEWEST} or more."
        )
    size = resolution or population.configs[0].resolution
    times = []
    for _ in range(turns):
        turn = []
        for config in population.configs:
            network = create_network(config, num_classes=10)
            turn.append(measure_latency(network, (batch, 3, size, size), device, repeats=3))
        times.append(turn)
    found = [anynet_cost(one, resolution=size, num_classes=10) for one in population.configs]
    costs = {name: np.array([getattr(one, name) for one in found], np.float64) for name in _COSTS}
    seconds = np.median(times, axis=0)
    fits = tuple(
        fit_latency(costs[cost], seconds, cost, shape) for cost in _COSTS for shape in _SHAPES
    )
    return LatencyStudy(
        name=population.name,
        batch=batch,
        resolution=size,
        seconds=seconds,
        costs=costs,
        fits=fits,
    )


def write_latency(study: LatencyStudy, directory: Path, command: str = "") -> Path:
    """Write `latency-BATCH.json`, the plot and a page; return the page.

    Args:
        study: The measurement.
        directory: The directory.
        command: The command that repeats it, for the page.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name = f"latency-{study.batch}"
    with atomic_write(directory / f"{name}.json") as stream:
        json.dump(study.as_dict(), stream, indent=2)
    note = "Each dot is a network; the lines are least-squares fits."
    page = StudyPage(
        name=f"Latency of {study.name}",
        sentence=study.sentence(),
        summary=f"{len(study.seconds)} networks, {study.batch} images of {study.resolution} "
        "pixels; the median of passes in turns.",
        tables=[("Share of the variance that a fit explains", study.rows())],
        plots=write_plots([Plot(name, "Latency over cost", note, plot_latency(study))], directory),
        command=command,
    )
    return page.write(directory / f"{name}.html")


def plot_latency(study: LatencyStudy) -> Figure:
    """Plot latency over multiply-adds and over activations, with the linear and the root fit."""
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    panels: Sequence[Any] = figure.subplots(1, 2, sharey=True)
    for axes, (cost, words) in zip(panels, _COSTS.items(), strict=True):
        x = study.costs[cost]
        axes.scatter(x, 1e3 * study.seconds, s=18, color=CURVES[0], alpha=0.6, linewidths=0)
        line = np.linspace(x.min(), x.max(), 100)
        for shape, style, colour in (("linear", "-", CURVES[1]), ("root", "--", CURVES[2])):
            (fit,) = (one for one in study.fits if (one.cost, one.shape) == (cost, shape))
            axes.plot(
                line,
                1e3 * fit.at(line),
                color=colour,
                linestyle=style,
                linewidth=1.8,
                label=f"{shape}: R² {fit.r2:.2f}",
            )
        dress(axes)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(f"{words} of one image", fontsize=9)
        axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    panels[0].set_ylabel(f"latency of {study.batch} images (ms)", fontsize=9)
    return figure


def _design(x: ArrayLike, shape: str) -> FloatArray:
    values = np.asarray(x, np.float64)
    powers = [values**power for power in _SHAPES[shape]]
    return np.stack([np.ones_like(values), *powers], axis=1)
