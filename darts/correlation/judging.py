"""The trials of a study: a cell judged inside a supernet, or retrained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from darts.judging.short_training import ShortTraining
from darts.searching.loaded import SearchedSupernet, load_searched
from darts.searching.protocols import OneShotProtocol
from darts.searching.subnetworks import cells_of
from darts.trials.attempt import ReportEpoch
from genotypes import parse_genotype


@dataclass(frozen=True)
class JudgeCell:
    """Runs a trial of the study; can be pickled.

    A trial with the setting `run` judges a cell inside the supernet of this run, any other one
    retrains it.

    Attributes:
        protocol: How a cell is judged inside a supernet.
        training: How cells are retrained; None if they are not.
        use: The files of the user's own that the searches need.
        device: Where to compute.
        threads: CPU threads of each process.
    """

    protocol: OneShotProtocol
    training: ShortTraining | None
    use: str | None
    device: str
    threads: int

    def __call__(self, settings: dict[str, Any], report: ReportEpoch) -> Mapping[str, Any]:
        """Return `accuracy` and `error` (%) of the cell, on the images of its kind of trial.

        A retraining also returns `params` and `macs`.
        """
        if "run" not in settings:
            assert self.training is not None
            return self.training(settings, report)
        searched = loaded_once(settings["run"], self.use, self.device, self.threads)
        genotype = parse_genotype(settings["genotype"], "trial")
        found = searched.score(self.protocol)(cells_of(genotype), settings["number"])
        error = 100 - found.accuracy
        return {"accuracy": found.accuracy, "loss": found.loss, "error": error}


@lru_cache(maxsize=1)
def loaded_once(run: str, use: str | None, device: str, threads: int) -> SearchedSupernet:
    """The supernet of a run; it is kept until another one is needed.

    Raises:
        UserError: See `load_searched`.
    """
    return load_searched(run, use=use, device=device, threads=threads)


def checkpoint_mark(searched: SearchedSupernet) -> str:
    """The SHA-256 of the checkpoint of a search, so that a changed one is noticed."""
    return hashlib.sha256(searched.run.checkpoint.read_bytes()).hexdigest()
