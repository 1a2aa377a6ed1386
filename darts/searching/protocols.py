"""How a cell is judged inside a supernet: the protocols of published studies. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from darts.errors import UserError

ProtocolName = Literal["batch", "reestimated", "running", "one-batch"]

PROTOCOLS: Mapping[ProtocolName, str] = MappingProxyType(
    {
        "batch": "common images, batch norms with the statistics of each batch",
        "reestimated": "common images, statistics re-estimated for each cell on training images",
        "running": "common images, the running statistics of the supernet",
        "one-batch": "one batch of images, with its statistics",
    }
)
"""The protocols in a few words each."""


@dataclass(frozen=True, kw_only=True)
class OneShotProtocol:
    """How a cell is judged with the weights that it inherits from a supernet.

    | name | images | statistics of the batch norms | source |
    |---|---|---|---|
    | `batch` | common | of each batch | DARTS-PT (arXiv 2108.04392), its code |
    | `reestimated` | common | of the cell, on training images | SPOS (arXiv 1904.00420), §3.4 |
    | `running` | common | of the supernet | `examine_ranking` in the code of SmoothDARTS |
    | `one-batch` | a batch | of this batch | `get_best_arch` in AutoDL-Projects |

    Common images are the same for all cells: validation images of the search, not augmented, in an
    order that the seed decides. SmoothDARTS takes all test images instead. AutoDL-Projects gives
    successive cells successive batches of 512; this is `successive`, and adds the noise of a batch
    (about 2 points) to each accuracy.

    >>> OneShotProtocol(name="one-batch").statistics
    'batch'

    Attributes:
        name: A key of `PROTOCOLS`.
        images: Number of common images; 0 for all validation images.
        batch_size: Images in a batch.
        statistics_images: Training images for re-estimated statistics.
        successive: With `one-batch`, cell number i is judged on batch number i.
        seed: Decides which images are taken, and their order.

    Raises:
        UserError: A number is out of range, or there is no such protocol.
    """

    name: ProtocolName = "batch"
    images: int = 0
    batch_size: int = 256
    statistics_images: int = 1024
    successive: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in get_args(ProtocolName):
            raise UserError(f"--protocol {self.name}: choose one of {', '.join(PROTOCOLS)}.")
        if self.images < 0:
            raise UserError(f"--images {self.images}: give 0 for all images, or more.")
        for name in ("batch_size", "statistics_images"):
            if (value := getattr(self, name)) < 2:
                raise UserError(f"--{name.replace('_', '-')} {value}: give at least 2 images.")
        if self.successive and self.name != "one-batch":
            raise UserError("--successive: only the protocol one-batch has successive batches.")

    @property
    def statistics(self) -> Literal["batch", "reestimated", "running"]:
        """The statistics of the batch norms."""
        return "batch" if self.name == "one-batch" else self.name
