"""Latencies of operations by shape: measured once on a device and stored as plain values."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cells.topology import Topology
from darts.costs.latency import measure_latency
from darts.costs.tables import CostTable, Target, places, reference_genotype, table_of
from darts.errors import UserError
from darts.files import read_json_file
from darts.system.device import device_name
from genotypes import SearchSpace
from ops.registry import create_operation

Shape = tuple[str, int, int, int]
"""(operation, channels, stride, input size)."""


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Latencies in seconds for one image.

    Attributes:
        device: The name of the device and the software that was measured.
        rest: The latency of the network without its operations.
        operations: The latency of each operation and shape.
    """

    device: str
    rest: float
    operations: Mapping[Shape, float]

    def table(self, target: Target, topology: Topology, space: SearchSpace) -> CostTable:
        """Build the cost table of a target network.

        Raises:
            UserError: An operation of the target network was not measured.
        """

        def price(*shape: Any) -> float:
            if shape not in self.operations:
                name, channels, stride, size = shape
                raise UserError(
                    f"The latency table of {self.device} has no row for {name} with {channels} "
                    f"channels, stride {stride}, on {size}x{size} pixels: it was measured for "
                    "another target network."
                )
            return self.operations[shape]

        return table_of("latency", self.rest, target, topology, space, price)

    def as_dict(self) -> dict[str, Any]:
        """Plain values with one row per operation and shape."""
        rows = [
            {"operation": name, "channels": channels, "stride": stride, "size": size, "seconds": s}
            for (name, channels, stride, size), s in self.operations.items()
        ]
        return {"device": self.device, "rest": self.rest, "operations": rows}

    @classmethod
    def from_dict(cls, values: Any, where: str) -> Latencies:
        """Rebuild the latencies from the values of `as_dict`.

        Raises:
            UserError: A value is missing or has the wrong type; the message names `where`.
        """
        try:
            operations = {_shape(row): float(row["seconds"]) for row in values["operations"]}
            table = cls(
                device=str(values["device"]), rest=float(values["rest"]), operations=operations
            )
        except (TypeError, KeyError, ValueError) as error:
            raise UserError(
                f"{where}: this is not a latency table ({type(error).__name__}: {error}). It needs "
                "`device`, `rest` (seconds) and `operations`, a list of rows with `operation`, "
                "`channels`, `stride`, `size` and `seconds`; a search with --max-latency writes "
                "one as latency.json."
            ) from None
        if not all(0 <= seconds < float("inf") for seconds in (table.rest, *operations.values())):
            raise UserError(f"{where}: a latency must be a number of seconds, 0 or more.")
        return table


def _shape(row: Mapping[str, Any]) -> Shape:
    return str(row["operation"]), int(row["channels"]), int(row["stride"]), int(row["size"])


def read_latencies(path: Path | str) -> Latencies:
    """Read the latencies from a JSON file.

    Raises:
        UserError: There is no such file, or it is not a latency table.
    """
    try:
        values = read_json_file(Path(path))
    except (OSError, ValueError) as error:
        raise UserError(f"--latency-table {path}: cannot be read: {error}") from None
    return Latencies.from_dict(values, f"--latency-table {path}")


def measure_latencies(
    target: Target,
    topology: Topology,
    space: SearchSpace,
    device: torch.device,
) -> Latencies:
    """Measure each operation and shape of a derived network, at batch 1, on `device`.

    `rest` is the latency of a reference network minus that of its operations, and at least 0.
    """
    operations: dict[Shape, float] = {}
    for shape in sorted(set(places(target, topology, space))):
        name, channels, stride, size = shape
        module = create_operation(name, channels, stride, affine=True)
        free = isinstance(module, nn.Identity)
        operations[shape] = (
            0.0 if free else measure_latency(module, (1, channels, size, size), device)
        )
    reference = reference_genotype(topology, space)
    size = target.resolution
    whole = measure_latency(target.network(reference), (1, 3, size, size), device)
    words = f"{device_name(device)}, torch {torch.__version__}, Python {platform.python_version()}"
    if device.type == "cpu":
        words += f", {torch.get_num_threads()} threads"
    without = Latencies(device=words, rest=0.0, operations=operations)
    inside = without.table(target, topology, space).of(reference, topology, space)
    return Latencies(device=words, rest=max(whole - inside, 0.0), operations=operations)
