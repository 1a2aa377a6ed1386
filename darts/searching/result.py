"""The result of a cell search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darts.nasbench.table import KnownCell
from darts.report.formatting import duration, percent
from darts.report.notebook import Figures, Summarised
from genotypes import Genotype


@dataclass(frozen=True, repr=False)
class CellSearchResult(Summarised):
    """The result of a cell search.

    Attributes:
        genotype: The genotype after the last epoch, as in the authors' experiments, or that of the
            epoch that a stopping rule has chosen.
        run_dir: The run directory.
        validation_accuracy: Accuracy (%) of the supernet after the last epoch, on the half of the
            images that trains the architecture; the mean average precision (%) if images have
            several labels.
        seconds: Time of the loop; the parts of a resumed run are added up.
        peak_memory: Bytes; see `darts.system.device.peak_memory`.
        derived: Cost of the derived network; see `CostAwareness.result`.
        stopped: Why the search ended early, as a sentence; empty if it did not.
        known: What the table of `--table` knows of the genotype; None without a table.
        measure: Name of the accuracy in files: accuracy or map.
    """

    genotype: Genotype
    run_dir: Path
    validation_accuracy: float
    seconds: float
    peak_memory: int
    derived: Mapping[str, Any]
    stopped: str = ""
    known: KnownCell | None = None
    measure: str = "accuracy"

    def figures(self) -> Figures:
        """Cost of the derived network, the supernet's accuracy, time, and where it is."""
        found = [("cell", self.genotype.name)]
        if "macs" in self.derived:
            found.append(("multiply-adds", f"{self.derived['macs']:,}"))
        found.append(("supernet", percent(self.validation_accuracy)))
        if self.known is not None:
            found.append(("known test accuracy", percent(self.known.test)))
        return [*found, ("time", duration(self.seconds)), ("directory", str(self.run_dir))]

    def pictured(self) -> Genotype:
        """The found cell."""
        return self.genotype

    def as_dict(self, epochs: int, parameters: int, **further: Any) -> dict[str, Any]:
        """The content of `result.json`.

        Args:
            epochs: Number of finished epochs.
            parameters: Parameters of the supernet.
            further: Such as the number of images, and the warnings.
        """
        return {
            "genotype": self.genotype.as_dict(),
            "epoch": epochs,
            f"validation_{self.measure}": self.validation_accuracy,
            "seconds": self.seconds,
            "peak_memory": self.peak_memory,
            "parameters": parameters,
            **further,
            "derived": self.derived,
            **({"stopped": self.stopped} if self.stopped else {}),
            **({} if self.known is None else {"table": asdict(self.known)}),
        }
