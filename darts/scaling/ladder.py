"""A ladder: one model at several sizes, as a table, and as files that `evaluate.py` runs."""

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
from darts.scaling.fit import Fit, Quantity, fit
from darts.settings.quantities import format_count, format_seconds
from genotypes import Genotype

# Whether a dimension may be adjusted by itself: not where every look at a rung is a measurement.
ADJUSTABLE = ("macs", "params")


def create_rung_network(rung: Rung, num_classes: int) -> nn.Module:
    """The network of a rung, with weights from a fixed seed."""
    cells = {name: rung.settings[name] for name in ("channels", "layers") if name in rung.settings}
    return create_network(
        rung.model,
        num_classes=num_classes,
        stem=rung.settings["stem"],
        generator=torch.Generator().manual_seed(0),
        **cells,
    )


class Latency:
    """Seconds of a forward pass, a `Quantity`; measured once for each rung.

    Args:
        batch_size: Images of the pass.
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
    """What a budget limits: macs, params or latency."""
    if name == "latency":
        assert latency is not None
        return latency
    return lambda rung: getattr(rung.cost, name)


def at_phi(base: Base, coefficients: Coefficients, phi: float) -> Fit:
    """The rung of a given phi."""
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
    """A rung for each target, by name.

    Args:
        targets: Values of phi, or budgets.
        kind: "phi", or what is budgeted: macs, params or latency.

    Raises:
        UserError: See `fit`.
    """
    if kind == "phi":
        return {f"phi{phi:g}": at_phi(base, coefficients, phi) for phi in targets}
    written = format_seconds if kind == "latency" else format_count
    return {
        written(target): fit(
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
    """A rung as plain values, for tables and JSON."""
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
    """A recipe for `evaluate.py --config` for each rung, and files of the networks that need one.

    Args:
        model: As the user named it: a name, or a file.
        comment: What stands above the settings, after the name of the rung.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, found in fits.items():
        rung, path = found.rung, directory / f"{Path(model).stem}-{name}.yaml"
        settings: dict[str, Any]
        if isinstance(rung.model, Genotype):
            # Absolute: the recipe may be used from anywhere.
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
