"""A searched supernet, loaded from its run directory with its weights, architecture and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from darts.data.dataset import Dataset
from darts.data.loader import evaluation_batches
from darts.data.transforms import evaluation_transform
from darts.errors import UserError, state_of
from darts.methods.architecture import Architecture
from darts.methods.gradient import Context
from darts.run_files import RunFiles
from darts.runs.checkpoints import load_checkpoint
from darts.searching.images import SearchImages
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.protocols import OneShotProtocol
from darts.searching.search_network import SearchNetwork
from darts.searching.subnetworks import SubnetworkScore
from darts.searching.task import SearchTask
from darts.settings.parsing import options_from
from darts.settings.used_files import joined_names, kept_files, read_files
from darts.system.device import dtype_of
from darts.system.randomness import stream_seed

_OF_A_SEARCH = "arch_learning_rate"
"""A setting that every search has and no other run."""


class FixedBatches:
    """Some training images of a data set in a fixed order, not augmented.

    Args:
        dataset: The data set.
        indices: Numbers of its training images `[N]`, in their order.
        batch_size: Images in a batch; the last one may have fewer.
        device: Device of the batches.
        dtype: Number format of the images.
    """

    def __init__(
        self,
        dataset: Dataset,
        indices: Tensor,
        batch_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.dataset, self.indices, self.batch_size = dataset, indices, batch_size
        self.device, self.dtype = device, dtype

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch_size)

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return evaluation_batches(
            self.dataset.train,
            self.batch_size,
            self.device,
            evaluation_transform(self.dataset),
            indices=self.indices,
            dtype=self.dtype,
        )

    def only(self, number: int) -> FixedBatches:
        """The batch of this number alone."""
        chosen = self.indices.split(self.batch_size)[number]
        return FixedBatches(self.dataset, chosen, self.batch_size, self.device, self.dtype)


@dataclass(frozen=True)
class SearchedSupernet:
    """The supernet of a search after its last checkpoint.

    Attributes:
        run: The files of the search.
        options: Its settings.
        supernet: The network with its trained weights and running statistics.
        architecture: alpha and beta.
        images: The images of the search; the test images are not among them.
        context: Context of a forward pass.
        epochs: Finished epochs.
        planned: Epochs of the whole search.
    """

    run: RunFiles
    options: SearchOptions
    supernet: SearchNetwork
    architecture: Architecture
    images: SearchImages
    context: Context
    epochs: int
    planned: int

    def score(self, protocol: OneShotProtocol) -> SubnetworkScore:
        """Judges cells inside the supernet by a protocol; see `SubnetworkScore`.

        Raises:
            UserError: The protocol wants more validation images than the search has.
        """
        own = self.images.validation_indices
        if protocol.images > len(own):
            raise UserError(
                f"--images {protocol.images}: the search {self.run.path} has only {len(own)} "
                "validation images."
            )
        tables = self.architecture.evaluated_tables()
        return SubnetworkScore(
            self.supernet,
            self.architecture.topology,
            self.architecture.space,
            self._fixed(own, protocol.images, protocol, "validation images", whole=False),
            self._fixed(
                self.images.weight_indices,
                protocol.statistics_images,
                protocol,
                "statistics images",
                whole=True,
            ),
            protocol,
            like=next(iter(tables.values())).operations.detach(),
            context=self.context,
            tally=self.images.tally,
        )

    def _fixed(
        self, indices: Tensor, count: int, protocol: OneShotProtocol, name: str, *, whole: bool
    ) -> FixedBatches:
        """`count` images, 0 for all, in a random order; with `whole`, only in full batches."""
        size = protocol.batch_size
        generator = torch.Generator().manual_seed(stream_seed(protocol.seed, name))
        chosen = torch.randperm(len(indices), generator=generator)[: count or None]
        if whole:
            chosen = chosen[: max(1, len(chosen) // size) * size]
        dtype = dtype_of(self.options.precision)
        return FixedBatches(self.images.dataset, indices[chosen], size, self.images.device, dtype)


def load_searched(
    directory: Path | str,
    *,
    use: str | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> SearchedSupernet:
    """Load the supernet of a search from its run directory; nothing is written there.

    Args:
        directory: The run directory of a search.
        use: The files of the user's own that the search needs, joined by commas. Their code runs
            only if they are named here.
        device: Where to compute; by default as the search did.
        threads: CPU threads; by default as the search had.

    Raises:
        UserError: It is not the directory of a search, it has no checkpoint, or the search needs
            files that are not named.
    """
    run = RunFiles(Path(directory))
    _check_search(run)
    _check_files(run, use)
    settings = {"use": use, "device": device, "threads": threads}
    given = {name: value for name, value in settings.items() if value is not None}
    checkpoint = load_checkpoint(run.path, ("task",))
    options = options_from(SearchOptions, {"resume": str(run.path), **given}, search_overlay)
    task = SearchTask(options)
    with state_of(run.checkpoint, run.config.name):
        task.load_state_dict(checkpoint["task"])
    return SearchedSupernet(
        run=run,
        options=task.options,
        supernet=task.supernet,
        architecture=task.architecture,
        images=task.images,
        context=task.parts.problem.context,
        epochs=checkpoint["step"] // task.steps_per_epoch,
        planned=task.epochs,
    )


def _check_search(run: RunFiles) -> None:
    try:
        settings = run.read_config()
    except OSError:
        raise UserError(
            f"{run.path} is not a run directory: it has no {run.config.name}. Give the directory "
            "that a search printed."
        ) from None
    except ValueError as error:
        raise UserError(f"{run.config} is no YAML: {error}") from None
    if not isinstance(settings, dict) or _OF_A_SEARCH not in settings:
        raise UserError(
            f"{run.path} is not the run of a search, so it has no supernet. Give the directory of "
            "a search."
        )


def _check_files(run: RunFiles, use: str | None) -> None:
    """Raise UserError if the search needs a file that is not named."""
    named = {file.name for file in read_files(use)}
    if missing := [name for name in kept_files(run) if name not in named]:
        kept = joined_names([run.used / name for name in missing])
        raise UserError(
            f"The search {run.path} uses {', '.join(missing)}, code of its user's own, which runs "
            f"only if you name it. Read the kept text, then add --use {kept}"
        )
