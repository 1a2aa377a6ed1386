"""What a run directory tells, read leniently: anything may be missing or cut off.

A report is most wanted when a run went wrong; so damage becomes a note, never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cells.topology import Topology
from darts.errors import UserError
from genotypes import SPACES, Genotype, GenotypeError, load_genotype, parse_genotype

_MARKS = ("config.yaml", "metrics.jsonl", "result.json", "genotype.yaml")
Line = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run. Epochs in `epochs` count from 0, those in `genotypes` are finished epochs."""

    path: Path
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    steps: Sequence[Line]
    epochs: Sequence[Line]
    result: Mapping[str, Any] | None
    genotype: Genotype | None
    genotypes: Mapping[int, Genotype]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def is_search(self) -> bool:
        return bool(self.genotypes) or "method" in self.config or bool(self.architecture)

    @property
    def accuracy_name(self) -> str:
        """The measure that counts: of the architecture's images, or of the test images."""
        return "validation_accuracy" if self.is_search else "test_accuracy"

    @property
    def accuracy(self) -> float | None:
        """Accuracy (%) after the last epoch; None while that is not reached."""
        return _number((self.result or {}).get(self.accuracy_name))

    @property
    def total_epochs(self) -> int | None:
        epochs = self.config.get("epochs")
        return epochs if isinstance(epochs, int) else None

    @property
    def architecture(self) -> Sequence[Line]:
        """The epoch lines that hold the tables of alpha and beta."""
        return [line for line in self.epochs if isinstance(line.get("architecture"), Mapping)]

    def series(self, name: str, kind: str = "epoch") -> tuple[list[float], list[float]]:
        """Where (in epochs, or in steps while no epoch is finished) and what `name` was."""
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
    path = Path(directory)
    if not any((path / mark).is_file() for mark in _MARKS):
        raise UserError(
            f"{path} is not a run directory: it holds none of {', '.join(_MARKS)}. "
            "Give the directory that a search or a retraining printed."
        )
    notes: list[str] = []
    lines = _read_lines(path / "metrics.jsonl", notes)
    result = _read(path / "result.json", json.loads, notes)
    records = _read(path / "environment.json", json.loads, notes)
    environment = records[-1] if isinstance(records, list) and records else records
    return RunRecord(
        path=path,
        config=_mapping(_read(path / "config.yaml", yaml.safe_load, notes)),
        environment=_mapping(environment),
        steps=[line for line in lines if line["kind"] == "step"],
        epochs=[line for line in lines if line["kind"] == "epoch"],
        result=result if isinstance(result, Mapping) else None,
        genotype=_genotype(path, _mapping(result), notes),
        genotypes=_genotypes(path, notes),
        notes=notes,
    )


def strengths(genotype: Genotype, kind: str, line: Line) -> list[list[float]] | None:
    """Strength of each kept edge, softmax(alpha)·softmax(beta), from an epoch's line.

    None where the line's tables do not fit the genotype.
    """
    tables = _mapping(_mapping(line.get("architecture")).get(kind))
    operations, edges = tables.get("operations"), tables.get("edges")
    topology = Topology(genotype.nodes)
    try:
        index = {(edge.target, edge.source): edge.index for edge in topology.edges}
        rows = []
        for target, node in zip(topology.inner, genotype.cell(kind)[0], strict=True):
            row = []
            for operation, source in node:
                edge = index[target, source]
                column = SPACES[genotype.space].index(operation)
                weight = 1.0 if edges is None else float(edges[edge])
                row.append(float(operations[edge][column]) * weight)  # type: ignore[index]
            rows.append(row)
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return rows


def _read(path: Path, parse: Any, notes: list[str]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        notes.append(f"{path.name} cannot be read: {error}")
        return None


def _read_lines(path: Path, notes: list[str]) -> list[Line]:
    def parse(text: str) -> list[Line]:
        lines, damaged = [], 0
        for row in text.splitlines():
            try:
                line = json.loads(row)
                whole = isinstance(line["step"], int) and isinstance(line["epoch"], int)
                lines += [line] if whole and line["kind"] else []
            except (ValueError, TypeError, KeyError):
                damaged += 1
        if damaged:
            notes.append(f"{path.name}: {damaged} damaged line(s) left out")
        return lines

    return _read(path, parse, notes) or []


def _genotype(path: Path, result: Mapping[str, Any], notes: list[str]) -> Genotype | None:
    try:
        if (path / "genotype.yaml").is_file():
            return load_genotype(path / "genotype.yaml")
        if "genotype" in result:
            return parse_genotype(result["genotype"], "result.json")
    except GenotypeError as error:
        notes.append(str(error))
    return None


def _genotypes(path: Path, notes: list[str]) -> dict[int, Genotype]:
    genotypes = {}
    for file in sorted((path / "genotypes").glob("epoch-*.yaml")):
        number = file.stem.removeprefix("epoch-")
        try:
            if number.isdecimal():
                genotypes[int(number)] = load_genotype(file)
        except GenotypeError as error:
            notes.append(str(error))
    return dict(sorted(genotypes.items()))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
