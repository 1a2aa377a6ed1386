"""Arguments that the commands of compound scaling share, and what they mean."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from darts.commands.shared import Arguments
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.scaling.bases import Base
    from darts.scaling.coefficients import Coefficients


def add_base_arguments(parser: Arguments) -> None:
    """Add the arguments that describe the model to scale."""
    parser.add_argument("model", help="genotype or network: a name, or a YAML file")
    parser.add_argument(
        "--setting", choices=("cifar", "imagenet"), help="stem of the unscaled network"
    )
    parser.add_argument(
        "--channels", type=int, help="channels of the unscaled network of a genotype"
    )
    parser.add_argument("--layers", type=int, help="number of cells of the unscaled network")
    parser.add_argument("--resolution", type=int, help="image size of the unscaled network")
    parser.add_argument("--classes", type=int, help="number of classes")
    parser.add_argument(
        "--k", type=int, default=1, help="keep channels that a search with this K could split"
    )
    parser.add_argument(
        "--resolution-multiple",
        type=int,
        help="image sizes are multiples of this; by default of 4, or of what a cell's strides need",
    )


def add_coefficients(parser: Arguments) -> None:
    """Add --alpha, --beta and --gamma."""
    for name, value, what in (
        ("alpha", 1.2, "depth"),
        ("beta", 1.1, "width"),
        ("gamma", 1.15, "resolution"),
    ):
        parser.add_argument(
            f"--{name}",
            type=float,
            default=value,
            help=f"growth of {what} per unit of phi; {value} in the EfficientNet paper",
        )


def coefficients_of(parsed: Namespace) -> Coefficients:
    """Return the coefficients that --alpha, --beta and --gamma give.

    Raises:
        UserError: One of them is below 1.
    """
    from darts.scaling.coefficients import Coefficients

    return Coefficients(parsed.alpha, parsed.beta, parsed.gamma)


def base_of(parsed: Namespace) -> Base:
    """Return the unscaled model that the arguments of `add_base_arguments` describe.

    Raises:
        UserError: There is no such model, or a size does not fit it.
    """
    from darts.models.registry import find_model
    from darts.scaling.bases import create_base

    if parsed.k < 1:
        raise UserError(f"--k {parsed.k}: a whole number of at least 1 is needed.")
    return create_base(
        find_model(parsed.model),
        stem=parsed.setting,
        channels=parsed.channels,
        layers=parsed.layers,
        resolution=parsed.resolution,
        num_classes=parsed.classes,
        channel_multiple=2 * parsed.k if parsed.k > 1 else None,
        resolution_multiple=parsed.resolution_multiple,
    )
