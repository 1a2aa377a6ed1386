"""Ladders: one model at several sizes, as a table and as recipes for `evaluate.py`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from darts.costs.latency import measure_latency
from darts.files import atomic_write
from darts.models.registry import create_network, save_model
from darts.scaling.bases import Base, Rung
from darts.scaling.coefficients import Coefficients
from darts.scaling.fit import Fit, Quantity, fit_budget
from darts.settings.quantities import format_count, format_seconds
from genotypes import Genotype

# Budgets for which single dimensions may be adjusted: not latency, which is slow to measure.
ADJUSTABLE = ("macs", "params")


def create_rung_network(rung: Rung, num_classes: int) -> nn.Module:
    """Build the network of a rung; its weights come from a fixed seed."""
    cells = {name: rung.settings[name] for name in ("channels", "layers") if name in rung.settings}
    return create_network(
        rung.model,
        num_classes=num_classes,
        stem=rung.settings["stem"],
        generator=torch.Generator().manual_seed(0),
        **cells,
    )


class Latency:
    """Seconds of a forward pass as a `Quantity`, measured once per rung.

    Args:
        num_classes: Number of classes.
        device: Device to measure on.
        batch_size: Images per forward pass.
    """

    def __init__(self, num_classes: int, device: torch.device, batch_size: int = 1) -> None:
        self.num_classes, self.device, self.batch_size = num_classes, device, batch_size
        self._measured: dict[tuple[Any, ...], float] = {}

    def __call__(self, rung: Rung) -> float:
        key = (rung.depth, rung.channels, rung.width, rung.resolution)
        if key not in self._measured:
            shape = (self.batch_size, 3, rung.resolution, rung.resolution)
            network = create_rung_network(rung, self.num_classes)
            self._measured[key] = measure_latency(
                network, shape, self.device, repeats=20, budget=2.0
            )
        return self._measured[key]


def quantity_of(name: str, latency: Quantity | None = None) -> Quantity:
    """The quantity that a budget limits: "macs", "params" or "latency"."""
    if name == "latency":
        assert latency is not None
        return latency
    return lambda rung: getattr(rung.cost, name)


def at_phi(base: Base, coefficients: Coefficients, phi: float) -> Fit:
    """The rung of a given phi, with its multiply-adds as the amount."""
    factors = coefficients.factors(phi)
    rung = base.rung(factors)
    return Fit(rung=rung, phi=phi, factors=factors, amount=rung.cost.macs)


def ladder(
    base: Base,
    coefficients: Coefficients,
    targets: Sequence[float],
    kind: str,
    *,
    tolerance: float = 0.02,
    latency: Quantity | None = None,
) -> dict[str, Fit]:
    """Scale a base to several targets: d = alpha^phi, w = beta^phi, r = gamma^phi.

    Source: EfficientNet (arXiv 1905.11946, §3.3, Eq. 3).

    >>> from darts.models.registry import find_model
    >>> from darts.scaling.bases import create_base
    >>> rungs = ladder(create_base(find_model("resnet50")), Coefficients(), [0, 1], "phi")
    >>> {name: fit.rung.depth for name, fit in rungs.items()}
    {'phi0': 16, 'phi1': 20}

    Args:
        base: The network to scale.
        coefficients: alpha, beta and gamma.
        targets: Values of phi, or budgets.
        kind: "phi", or the budgeted quantity: "macs", "params" or "latency".
        tolerance: Largest relative deviation that meets a budget.
        latency: Measures the latency in seconds; needed if `kind` is "latency".

    Returns:
        The rung of each target by name, e.g. "phi1", "300M" or "5ms".

    Raises:
        UserError: A budget is infeasible or out of reach, see `fit`.
    """
    if kind == "phi":
        return {f"phi{phi:g}": at_phi(base, coefficients, phi) for phi in targets}
    written = format_seconds if kind == "latency" else format_count
    return {
        written(target): fit_budget(
            base,
            coefficients,
            target,
            quantity_of(kind, latency),
            tolerance=tolerance,
            adjust=kind in ADJUSTABLE,
        )
        for target in targets
    }


def row(name: str, found: Fit, latency: Quantity | None = None) -> dict[str, Any]:
    """A rung as plain values for tables and JSON; `latency` adds its seconds."""
    rung = found.rung
    values: dict[str, Any] = {
        "name": name,
        "phi": round(found.phi, 4),
        "depth": rung.depth,
        "width": round(rung.width, 4),
        "channels": rung.channels,
        "resolution": rung.resolution,
        "params": int(rung.cost.params),
        "macs": int(rung.cost.macs),
        "activations": int(rung.cost.activations),
    }
    if latency is not None:
        values["latency"] = latency(rung)
    if found.target is not None:
        values |= {"target": found.target, "off": round(found.off, 5), "within": found.within}
    return values


def write_rungs(
    directory: Path, model: str, fits: Mapping[str, Fit], comment: str = ""
) -> dict[str, Path]:
    """Write one recipe for `evaluate.py --config` per rung.

    A network that is not made of cells also gets a file with its config.

    Args:
        directory: Where to write; it is created if necessary.
        model: The model as the user gave it: a name or a file.
        fits: The rungs by name.
        comment: Ends the comment on the first line of each recipe.

    Returns:
        The recipe of each rung.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, found in fits.items():
        rung, path = found.rung, directory / f"{Path(model).stem}-{name}.yaml"
        settings: dict[str, Any]
        if isinstance(rung.model, Genotype):
            # An absolute path, so that the recipe works from any directory.
            settings = {"genotype": os.path.abspath(model) if Path(model).is_file() else model}
        else:
            network = path.with_suffix(".network.yaml")
            save_model(rung.model, network)
            settings = {"model": str(network.absolute())}
        with atomic_write(path) as stream:
            stream.write(f"# {model}, {name}: {int(rung.cost.macs):,} multiply-adds. {comment}\n")
            yaml.safe_dump({**settings, **rung.settings}, stream, sort_keys=False)
        written[name] = path
    return written
