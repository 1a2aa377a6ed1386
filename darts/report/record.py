"""A run directory, read leniently: files may be missing or cut off.

Reports matter most when a run went wrong, so damage becomes a note, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.topology import Topology
from darts.errors import UserError
from darts.run_files import RunFiles
from genotypes import Genotype, GenotypeError, load_genotype, parse_genotype

if TYPE_CHECKING:
    from darts.targets.target import LearningTask

REPEATS_ENTRY = "repeats"
"""The entry of `result.json` that only runs of several trainings have."""

LogLine = Mapping[str, Any]
"""A line of `metrics.jsonl`."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run.

    Attributes:
        files: Its files.
        config: Its settings.
        environment: Software versions and machine of its latest start.
        steps: The step lines of `metrics.jsonl`.
        epochs: The epoch lines of `metrics.jsonl`; epochs count from 0.
        result: `result.json`; None until the run has finished.
        genotype: The derived or retrained genotype, if there is one.
        genotypes: The derived genotypes by their number of finished epochs.
        notes: What could not be read.
    """

    files: RunFiles
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    steps: Sequence[LogLine]
    epochs: Sequence[LogLine]
    result: Mapping[str, Any] | None
    genotype: Genotype | None
    genotypes: Mapping[int, Genotype]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        return self.files.path.resolve().name

    @property
    def is_search(self) -> bool:
        return bool(self.genotypes) or "method" in self.config or bool(self.architecture)

    @property
    def is_detector(self) -> bool:
        return "nms_threshold" in self.config

    @property
    def accuracy_name(self) -> str:
        """Name of the main metric: on images of the architecture step, or on test images."""
        return f"{'validation' if self.is_search else 'test'}_{self.target.key}"

    @property
    def target(self) -> LearningTask:
        """What the network learns."""
        # Imported here: pages of populations need no torch, which takes longer than their plots.
        from darts.targets.kinds import LEARNING_TASKS
        from darts.targets.single import SINGLE

        kind = self.config.get("task")
        return LEARNING_TASKS.get(kind, SINGLE) if isinstance(kind, str) else SINGLE

    @property
    def accuracy(self) -> float | None:
        """Main metric (%) after the last epoch; None until the run has finished."""
        return _number((self.result or {}).get(self.accuracy_name))

    @property
    def accuracy_interval(self) -> tuple[float, float] | None:
        """The 95 % interval (%) of a mean over seeds; None for a single run."""
        repeats = _mapping((self.result or {}).get(REPEATS_ENTRY))
        found = _mapping(_mapping(_mapping(repeats.get("measures")).get(self.accuracy_name)))
        interval = _mapping(found.get("interval"))
        low, high = _number(interval.get("low")), _number(interval.get("high"))
        return None if low is None or high is None else (low, high)

    @property
    def costs(self) -> dict[str, float]:
        """Costs for one image of the trained or the derived network, as far as known.

        `macs`, `params`, and `latency` in seconds.
        """
        result = self.result or {}
        derived = _mapping(result.get("derived"))
        named = {"macs": result.get("macs"), "params": result.get("parameters")}
        if self.is_search:
            named = {"macs": derived.get("macs"), "params": derived.get("params")}
        named["latency"] = derived.get("latency", result.get("latency"))
        known = {name: _number(value) for name, value in named.items()}
        return {name: value for name, value in known.items() if value is not None}

    @property
    def total_epochs(self) -> int | None:
        epochs = self.config.get("epochs")
        return epochs if isinstance(epochs, int) else None

    @property
    def architecture(self) -> Sequence[LogLine]:
        """The epoch lines that contain tables of alpha and beta."""
        return [line for line in self.epochs if isinstance(line.get("architecture"), Mapping)]

    def series(self, name: str, kind: str = "epoch") -> tuple[list[float], list[float]]:
        """Positions (in epochs, or in steps before the first epoch ends) and values of `name`."""
        lines = self.epochs if kind == "epoch" else self.steps
        points = [(line["step"] / self._steps_per_epoch, _number(line.get(name))) for line in lines]
        known = [(x, value) for x, value in points if value is not None]
        return [x for x, _ in known], [value for _, value in known]

    @property
    def unit(self) -> str:
        return "epoch" if self.epochs else "step"

    @property
    def _steps_per_epoch(self) -> float:
        last = self.epochs[-1] if self.epochs else {"step": 1, "epoch": 0}
        return max(last["step"], 1) / (last["epoch"] + 1)


def read_run(directory: Path | str) -> RunRecord:
    """Read the run in `directory`.

    Raises:
        UserError: There is no run at all.
    """
    files = RunFiles(Path(directory))
    marks = (files.config, files.metrics, files.result, files.genotype)
    if not any(mark.is_file() for mark in marks):
        raise UserError(
            f"{files.path} is not a run directory: it holds none of "
            f"{', '.join(mark.name for mark in marks)}. "
            "Give the directory that a search or a retraining printed."
        )
    notes: list[str] = []
    lines = _metrics(files, notes)
    result = _content(files.result, files.read_result, notes)
    records = _content(files.environment, files.read_environment, notes)
    environment = records[-1] if isinstance(records, list) and records else records
    return RunRecord(
        files=files,
        config=_mapping(_content(files.config, files.read_config, notes)),
        environment=_mapping(environment),
        steps=[line for line in lines if line["kind"] == "step"],
        epochs=[line for line in lines if line["kind"] == "epoch"],
        result=result if isinstance(result, Mapping) else None,
        genotype=_genotype(files, _mapping(result), notes),
        genotypes=_genotypes(files, notes),
        notes=notes,
    )


def strengths(genotype: Genotype, kind: str, line: LogLine) -> list[list[float]] | None:
    """Strength of each kept edge, softmax(alpha)·softmax(beta), from an epoch line.

    Without edge normalisation it is softmax(alpha). None if the tables do not fit the genotype.
    """
    tables = _mapping(_mapping(line.get("architecture")).get(kind))
    operations, edges = tables.get("operations"), tables.get("edges")
    topology = Topology(genotype.nodes, genotype.rules.inputs)
    try:
        index = {(edge.target, edge.source): edge.index for edge in topology.edges}
        rows = []
        for target, node in zip(topology.inner, genotype.cell(kind)[0], strict=True):
            row = []
            for operation, source in node:
                edge = index[target, source]
                column = genotype.rules.operations.index(operation)
                weight = 1.0 if edges is None else float(edges[edge])
                row.append(float(operations[edge][column]) * weight)  # type: ignore[index]
            rows.append(row)
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return rows


def _content(file: Path, read: Callable[[], Any], notes: list[str]) -> Any:
    try:
        return read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        notes.append(f"{file.name} cannot be read: {error}")
        return None


def _metrics(files: RunFiles, notes: list[str]) -> list[LogLine]:
    records, damaged = _content(files.metrics, files.read_metric_lines, notes) or ([], 0)
    lines = [line for line in records if _is_whole(line)]
    if damaged := damaged + len(records) - len(lines):
        notes.append(f"{files.metrics.name}: {damaged} damaged line(s) left out")
    return lines


def _is_whole(line: LogLine) -> bool:
    return "kind" in line and all(isinstance(line.get(name), int) for name in ("step", "epoch"))


def _genotype(files: RunFiles, result: Mapping[str, Any], notes: list[str]) -> Genotype | None:
    try:
        if files.genotype.is_file():
            return load_genotype(files.genotype)
        if "genotype" in result:
            return parse_genotype(result["genotype"], files.result.name)
    except GenotypeError as error:
        notes.append(str(error))
    return None


def _genotypes(files: RunFiles, notes: list[str]) -> dict[int, Genotype]:
    genotypes = {}
    for epoch, file in files.epoch_genotypes().items():
        try:
            genotypes[epoch] = load_genotype(file)
        except GenotypeError as error:
            notes.append(str(error))
    return genotypes


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
