"""Cells that a user asks about: single ones, and those that searches have found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import user_path
from darts.nasbench.cell_names import cell_of
from darts.nasbench.measured import DATASETS
from darts.nasbench.table import AccuracyTable, KnownCell
from darts.run_files import RunFiles
from genotypes import GenotypeError, load_genotype
from genotypes.published_spaces import NASBENCH201

# Settings in which searches of one experiment may differ.
_OWN = ("seed", "run_dir", "resume", "table", "device", "threads", "log_every", "checkpoint_every")


@dataclass(frozen=True)
class FoundCell:
    """A cell and where it comes from.

    Attributes:
        source: What the user has named.
        cell: What the table knows of it.
        method: The search method; empty for a cell without a run.
        seed: Seed of the search.
        trajectory: The cell after each finished epoch, by their number.
        settings: Settings of the search in which searches to be averaged should agree.
        notes: What a user should know about the run.
        finished: Whether the search has ended; only then does its cell count for its method.
    """

    source: str
    cell: KnownCell
    method: str = ""
    seed: int | None = None
    trajectory: Mapping[int, KnownCell] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    finished: bool = True

    @property
    def spans(self) -> list[tuple[int, int, KnownCell]]:
        """The trajectory as (first epoch, last epoch, cell), one entry per change of the cell."""
        spans: list[tuple[int, int, KnownCell]] = []
        for epoch, cell in self.trajectory.items():
            if spans and spans[-1][2] == cell and spans[-1][1] == epoch - 1:
                spans[-1] = (spans[-1][0], epoch, cell)
            else:
                spans.append((epoch, epoch, cell))
        return spans


def find_cells(names: Sequence[str], table: AccuracyTable) -> list[FoundCell]:
    """Look up what a user names.

    Args:
        names: Run directories, directories of several runs or of a sweep, genotype files, cells as
            strings, `nb201-NUMBER` or tuples of NASLib.
        table: The known accuracies.

    Raises:
        UserError: A directory holds no run of NAS-Bench-201's cells.
        GenotypeError: There is no such cell, or it belongs to another space.
    """
    return [found for name in names for found in _find(name, table)]


def _find(name: str, table: AccuracyTable) -> Iterator[FoundCell]:
    path = user_path(name)
    if not path.is_dir():
        yield FoundCell(name, table.lookup(cell_of(name)))
        return
    below = [] if RunFiles(path).epoch_genotypes() else _runs_below(path)
    if not below and not _is_run(path):
        raise UserError(f"{name}: neither a run with a derived cell nor a directory of such runs.")
    if _is_run(path):
        found = _read_run(path, table)
        # The cell that several searches have chosen is one of theirs, and counts once.
        yield replace(found, method="", seed=None) if below else found
    yield from (_read_run(run, table) for run in below)


def _runs_below(path: Path) -> list[Path]:
    """The runs in a directory, in a run of several searches, or in a sweep."""
    for place in (path / "seeds", path / "runs", path):
        runs = [one for one in sorted(place.glob("*")) if one.is_dir() and _is_run(one)]
        if runs:
            return runs
    return []


def _is_run(path: Path) -> bool:
    files = RunFiles(path)
    return files.genotype.is_file() or bool(files.epoch_genotypes())


def _read_run(path: Path, table: AccuracyTable) -> FoundCell:
    files, notes = RunFiles(path), []
    config = _config(files)
    trajectory = {
        epoch: _look_up(file, path, table) for epoch, file in files.epoch_genotypes().items()
    }
    if files.genotype.is_file():
        cell = _look_up(files.genotype, path, table)
    else:
        cell = trajectory[max(trajectory)]
    finished = files.result.is_file() or "method" not in config
    if not finished:
        notes.append(
            f"{path}: the search has not finished; its cell is the present one, and counts for no "
            "mean."
        )
    searched = str(config.get("dataset", ""))
    if searched in DATASETS and table.dataset in DATASETS and searched != table.dataset:
        notes.append(f"{path}: searched on {searched}, judged on {table.dataset}.")
    seed = config.get("seed")
    return FoundCell(
        source=str(path),
        cell=cell,
        method=str(config.get("method", "")),
        seed=seed if isinstance(seed, int) else None,
        trajectory=trajectory,
        settings={name: value for name, value in config.items() if name not in _OWN},
        notes=tuple(notes),
        finished=finished,
    )


def _look_up(file: Path, run: Path, table: AccuracyTable) -> KnownCell:
    genotype = load_genotype(file)
    if genotype.rules != NASBENCH201:
        raise GenotypeError(
            f"{run}: its cells belong to the space {genotype.rules.name!r}. The table knows the "
            "cells of NAS-Bench-201 only: search with --space nasbench201."
        )
    return table.lookup(genotype)


def _config(files: RunFiles) -> Mapping[str, Any]:
    try:
        config = files.read_config()
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, Mapping) else {}
