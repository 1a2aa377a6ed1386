"""The searches of a study: what it keeps of them, and whether they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from darts.correlation.judging import checkpoint_mark, loaded_once
from darts.correlation.options import CorrelationOptions
from darts.errors import UserError
from darts.searching.options import SearchOptions
from genotypes import SearchSpace
from genotypes.published_spaces import NASBENCH201


@dataclass(frozen=True)
class StudiedSearch:
    """A search; its supernet is loaded when cells are judged.

    Attributes:
        path: The run directory, as given.
        mark: SHA-256 of its checkpoint.
        epochs: Finished epochs.
        planned: Epochs of the whole search.
        options: Its settings.
        space: The cells of its last supernet.
    """

    path: str
    mark: str
    epochs: int
    planned: int
    options: SearchOptions
    space: SearchSpace

    @property
    def of_benchmark(self) -> bool:
        """Whether its cells are those of NAS-Bench-201, some candidates dropped or not."""
        return replace(self.space, restricted={}) == NASBENCH201


def open_searches(options: CorrelationOptions) -> list[StudiedSearch]:
    """Load each search once, and check that one study can have them all.

    Raises:
        UserError: A run cannot be loaded, has too few images, or differs from the others.
    """
    searches = []
    for path in options.runs:
        loaded = loaded_once(path, options.use, options.device, options.threads)
        loaded.score(options.one_shot)  # Raises if the images are too few.
        searches.append(
            StudiedSearch(
                path,
                checkpoint_mark(loaded),
                loaded.epochs,
                loaded.planned,
                loaded.options,
                loaded.architecture.space,
            )
        )
    _check_alike(searches)
    if options.table is not None:
        for one in searches:
            _check_benchmark(one)
    return searches


def _check_alike(searches: Sequence[StudiedSearch]) -> None:
    first = searches[0]
    for other in searches[1:]:
        for name in ("nodes", "dataset", "image_size", "classes"):
            here, there = (getattr(one.options, name) for one in (first, other))
            if here != there:
                raise UserError(
                    f"{first.path} and {other.path} differ in --{name.replace('_', '-')} "
                    f"({here}, {there}): one study cannot compare their cells."
                )
        if other.space != first.space:
            raise UserError(
                f"{first.path} and {other.path} have supernets with different candidates: one "
                "study cannot compare their cells."
            )


def _check_benchmark(search: StudiedSearch) -> None:
    if not search.of_benchmark:
        raise UserError(
            f"--table: {search.path} is a search in the space {search.space.name}, and the table "
            "has cells of nasbench201. Leave --table out, and the cells are retrained."
        )
    if search.space.restricted:
        raise UserError(
            f"{search.path}: its last supernet has lost candidates in the stages of its method, so "
            "it cannot judge all cells of the table."
        )
