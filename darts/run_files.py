"""The files of a run directory: their names, which are written here only, and how they are read.

| file | content |
|---|---|
| `config.yaml` | every setting, resolved |
| `environment.json` | software versions and machine, one record per start or resume |
| `space.yaml` | the search space, if it is one's own |
| `used/NAME.py`, `used/SHA256SUMS` | files of `--use` as the run began with them, never run |
| `images.jsonl` | which image files are used; see `darts.data.manifest` |
| `metrics.jsonl` | one JSON object per line |
| `checkpoint.pt`, `checkpoint.previous.pt` | see `darts.runs.checkpoints` |
| `genotype.yaml`, `genotypes/epoch-NNN.yaml` | the derived cell, at the end and after each epoch |
| `cells/` | drawings of the cells |
| `tensorboard/` | TensorBoard events |
| `result.json` | the final numbers, for scripts |
| `detections.json`, `detections.png` | what a detector found; also `images.json` for other images |
| `latency.json` | measured latencies of operations, if the search uses them |
| `report.html` | the report |

A line of `metrics.jsonl` has `kind` (`step`, `epoch` …), `step` (finished steps), `epoch`, and what
was measured: `loss`, `accuracy` (%), `learning_rate`, `images_per_second` … A number that is not
finite is written as null, because JSON has none.

A study that writes more files into its directory names those itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genotypes.plain_files import plain_json, read_json_file, read_yaml_file


@dataclass(frozen=True)
class RunFiles:
    """The files of the run in the directory `path`, whether or not they exist.

    The `read_…` methods raise OSError where a file is missing or unreadable, and ValueError where
    its content is damaged.

    >>> RunFiles(Path("run")).epoch_genotype(7).as_posix()
    'run/genotypes/epoch-007.yaml'
    """

    path: Path

    @property
    def name(self) -> str:
        """The directory's own name, also where `path` is `.`; with escapes if it is not UTF-8."""
        name = self.path.resolve().name or "run"
        return name.encode("utf-8", "backslashreplace").decode()

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def space(self) -> Path:
        return self.path / "space.yaml"

    @property
    def used(self) -> Path:
        """The folder of the files that `--use` named."""
        return self.path / "used"

    @property
    def used_checksums(self) -> Path:
        return self.used / "SHA256SUMS"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def images(self) -> Path:
        return self.path / "images.jsonl"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def previous_checkpoint(self) -> Path:
        return self.path / "checkpoint.previous.pt"

    @property
    def genotype(self) -> Path:
        return self.path / "genotype.yaml"

    def epoch_genotype(self, epoch: int) -> Path:
        """Cell derived after `epoch` finished epochs."""
        return self.path / "genotypes" / f"epoch-{epoch:03d}.yaml"

    def epoch_genotypes(self) -> dict[int, Path]:
        """All existing `epoch_genotype` files by their number of finished epochs, in order."""
        files = {
            file.stem.removeprefix("epoch-"): file
            for file in (self.path / "genotypes").glob("epoch-*.yaml")
        }
        return dict(sorted((int(epoch), files[epoch]) for epoch in files if epoch.isdecimal()))

    @property
    def cells(self) -> Path:
        return self.path / "cells"

    def epoch_cell(self, epoch: int, kind: str) -> Path:
        """Drawing of the cell derived after `epoch` finished epochs; `kind`: normal or reduce."""
        return self.cells / f"epoch-{epoch:03d}-{kind}.svg"

    @property
    def records(self) -> Path:
        """Names of the run's records at the places of `--track`."""
        return self.path / "records.json"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def latencies(self) -> Path:
        return self.path / "latency.json"

    @property
    def backend(self) -> Path:
        """What a search has measured and checked before its first step."""
        return self.path / "backend.json"

    @property
    def detections(self) -> Path:
        """Detections of a detector in COCO's result format."""
        return self.path / "detections.json"

    @property
    def drawn_detections(self) -> Path:
        """Detections of a detector, drawn into some images."""
        return self.path / "detections.png"

    @property
    def detected_images(self) -> Path:
        """Which image each number in `detections` is, where there are no annotations."""
        return self.path / "images.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def read_config(self) -> Any:
        """The settings as plain values."""
        return read_yaml_file(self.config)

    def read_threads(self) -> int | None:
        """The number of CPU threads of the latest start; None if no record has one."""
        try:
            records = self.read_environment()
            number = (records[-1] if isinstance(records, list) else records).get("threads")
        except (OSError, ValueError, AttributeError, IndexError):
            return None
        return number if type(number) is int and number > 0 else None

    def read_environment(self) -> Any:
        """A list with one record per start or resume."""
        return read_json_file(self.environment)

    def read_result(self) -> Any:
        """The final numbers; the file exists only after the run has finished."""
        return read_json_file(self.result)

    def result_has(self, entry: str) -> bool:
        """Whether the run has finished, and its result has an entry of this name."""
        try:
            result = self.read_result()
        except (OSError, ValueError):
            return False
        return isinstance(result, dict) and entry in result

    def read_metrics(self) -> list[dict[str, Any]]:
        """The undamaged lines of `metrics.jsonl`; none if there is no such file."""
        return self.read_metric_lines()[0] if self.metrics.exists() else []

    def read_metric_lines(self) -> tuple[list[dict[str, Any]], int]:
        """The undamaged lines of `metrics.jsonl`, and how many others there are.

        A process that is killed while it writes leaves an incomplete line.
        """
        records, damaged = [], 0
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = plain_json(line)
            except ValueError:
                record = None
            if isinstance(record, dict) and _is_line(record):
                records.append(record)
            else:
                damaged += 1
        return records, damaged


def _is_line(record: Mapping[str, Any]) -> bool:
    """Whether what every line has is of its kind: a word, and whole numbers."""
    numbers = (record.get("step", 0), record.get("epoch", 0))
    return isinstance(record.get("kind", ""), str) and all(type(one) is int for one in numbers)
