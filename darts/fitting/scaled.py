"""Networks scaled to a ceiling of multiply-adds at the images' own size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from darts.errors import UserError
from darts.models.image_spec import ImageSpec
from darts.models.mbconv.config import MBConvConfig
from darts.models.registry import Model
from darts.scaling.bases import create_base
from darts.scaling.coefficients import Coefficients
from darts.scaling.fit import fit_budget
from genotypes import Genotype

# Cells by their channels; other networks by depth and width. The resolution is that of the data.
_CELLS, _NETWORKS = Coefficients(1.0, 2**0.5, 1.0), Coefficients(1.2, 1.1, 1.0)
# Shares of the ceiling that are tried until rounding stays below it.
_SHARES = (0.98, 0.92, 0.85, 0.75, 0.6, 0.45, 0.3)


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """A network of a certain size.

    Attributes:
        model: Its genotype or config.
        channels: Channels of a genotype's first cell.
        layers: Cells of a genotype's network.
        macs: Multiply-adds for one image.
        params: Parameters.
    """

    model: Model
    channels: int | None
    layers: int | None
    macs: int
    params: int


def cell_layers(macs: float) -> int:
    """The number of cells for a network of so many multiply-adds: deep ones need width as well.

    >>> cell_layers(2e6), cell_layers(5e8)
    (5, 20)
    """
    return next((n for most, n in ((2e7, 5), (1e8, 8), (3e8, 14)) if macs < most), 20)


def scale_to(model: Model, images: ImageSpec, ceiling: float) -> Scaled:
    """The largest network of this kind below a ceiling, as far as rounding allows.

    Batch norms of EfficientNets get a momentum of 0.1 in place of 0.01: with so few steps, their
    running statistics would never arrive.

    Args:
        model: A genotype or the config of a network.
        images: What it classifies.
        ceiling: Most multiply-adds for one image.

    Raises:
        UserError: Even the smallest network of this kind exceeds the ceiling, or it cannot take
            such images.
    """
    settings: dict[str, Any] = {
        "stem": images.stem,
        "resolution": images.resolution,
        "num_classes": images.num_classes,
    }
    if isinstance(model, Genotype):
        settings |= {"channels": 16, "layers": cell_layers(ceiling)}
    elif isinstance(model, MBConvConfig):
        model = replace(model, norm_momentum=0.1)
    base = create_base(model, **settings)
    how = _CELLS if isinstance(model, Genotype) else _NETWORKS
    for share in _SHARES:
        found = fit_budget(base, how, share * ceiling, lambda rung: rung.cost.macs).rung
        if found.cost.macs <= ceiling:
            return Scaled(
                model=found.model,
                channels=found.settings.get("channels"),
                layers=found.settings.get("layers"),
                macs=found.cost.macs,
                params=found.cost.params,
            )
    raise UserError(f"No network of this kind has at most {ceiling:,.0f} multiply-adds.")


def smallest(model: Model, images: ImageSpec, ceiling: float) -> Scaled:
    """The network nearest below `ceiling`, or the smallest one above it.

    Raises:
        UserError: There is none up to 1,000 times the ceiling.
    """
    error: UserError | None = None
    for doublings in range(11):
        try:
            return scale_to(model, images, ceiling * 2**doublings)
        except UserError as problem:
            error = problem
    assert error is not None
    raise error
