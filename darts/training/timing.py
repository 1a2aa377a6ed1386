"""Latencies of the trained networks of several runs, all measured here, in turns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from darts.costs.models import ModelCost, latencies
from darts.errors import UserError
from darts.report.record import read_run
from darts.run_files import RunFiles
from darts.training.pretrained import trained_state


def time_runs(
    directories: Iterable[Path], *, batch: int = 1, device: str = "auto", threads: int = 0
) -> dict[Path, float]:
    """Seconds of a forward pass of each trained network, all in turns, by its directory.

    Searches and detectors are left out: only retrainings have a network to time. A run of several
    seeds has the network of each.

    Args:
        directories: Directories of runs.
        batch: Number of images.
        device: cpu, cuda …
        threads: CPU threads; 0 leaves the choice to torch.

    Raises:
        UserError: A number is wrong, or a network cannot be read.
    """
    if batch < 1:
        raise UserError(f"--batch {batch}: 1 image or more is needed.")
    known = {}
    for directory in directories:
        record = read_run(directory)
        if not (record.is_search or record.is_detector) and record.accuracy is not None:
            state = trained_state(_with_weights(directory))
            table = {"resolution": state["data"]["image_size"]}
            known[directory] = ModelCost(table=table, notes={}, description=state["description"])
    return dict(zip(known, latencies(list(known.values()), batch, device, threads), strict=True))


def _with_weights(directory: Path) -> Path:
    """The run itself, or the first run of one with several seeds."""
    if RunFiles(directory).checkpoint.is_file():
        return directory
    seeds = sorted(path.parent for path in directory.glob("seeds/*/checkpoint.pt"))
    return seeds[0] if seeds else directory
