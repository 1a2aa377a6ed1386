"""A search that accounts for the derived network's cost: a penalty, and ceilings at the end.

The penalty is the logarithm of the expected cost E[c] (darts/costs/expected.py) times a weight. The
weight is fixed or, for a ceiling, a Lagrange multiplier that is updated by dual ascent:

    penalty  =  max(lambda + log(cost / ceiling), 0) · log E[c]
    lambda  <-  max(lambda + rate · log(cost / ceiling), 0)

`cost` is the cost of the cell that would be derived now. The multiplier grows while this cost is
above the ceiling and shrinks while it is below; the current excess in the penalty damps the
oscillation. If the derived cell exceeds a ceiling at the end, the strongest cell within all
ceilings replaces it (darts/costs/constrained.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from cells.topology import Topology
from darts.costs.constrained import strongest_cells
from darts.costs.expected import derived_operations, expected_cost, keeping_probabilities
from darts.costs.latency import measure_latency
from darts.costs.latency_table import Latencies, measure_latencies, read_latencies
from darts.costs.options import TYPICAL, CostOptions
from darts.costs.tables import Target, chosen, counted_tables
from darts.errors import UserError
from darts.methods.architecture import Architecture
from darts.runs.directory import RunDirectory
from darts.settings.quantities import format_count, format_seconds, parse_count, parse_seconds
from darts.system.distributed import from_main
from genotypes import Genotype, SearchSpace
from ops.partial import ChannelError

# The final value of a multiplier if the cost stayed at e times its ceiling for the whole search.
GAIN = 10.0


def ceilings_of(options: CostOptions, typical: Mapping[str, float]) -> dict[str, float]:
    """The ceilings of the options, by the name of the cost.

    >>> ceilings_of(CostOptions(max_macs="600M", max_params="typical"), {"params": 5e6})
    {'macs': 600000000, 'params': 5000000.0}

    Args:
        options: The amounts.
        typical: What the word "typical" means for multiply-adds and parameters.

    Raises:
        UserError: A ceiling is not an amount, or the temperature is out of range.
    """
    ceilings: dict[str, float] = {}
    for name, amount in (("macs", options.max_macs), ("params", options.max_params)):
        if amount == TYPICAL:
            ceilings[name] = typical[name]
        elif amount is not None:
            try:
                ceilings[name] = parse_count(amount, f"--max-{name}")
            except UserError as error:
                raise UserError(
                    f"{error} The word {TYPICAL} stands for random cells' mean."
                ) from None
    if options.max_latency is not None:
        ceilings["latency"] = parse_seconds(options.max_latency, "--max-latency")
    if not options.cost_temperature > 0:
        raise UserError(f"--cost-temperature: must be above 0, not {options.cost_temperature}.")
    return ceilings


class CostAwareness:
    """Computes the cost of the derived network, penalises it and enforces its ceilings.

    >>> architecture = Architecture(Topology(2), generator=torch.Generator().manual_seed(0))
    >>> target = Target(channels=8, layers=3, stem="cifar", resolution=16, num_classes=10)
    >>> cpu = torch.device("cpu")
    >>> costs = CostAwareness(CostOptions(), architecture, target, device=cpu, steps=10)
    >>> costs.fits(costs.derive("example"))
    True

    Args:
        options: Ceilings, weights and temperature.
        architecture: alpha and beta, on the device of the search.
        target: The network whose cost counts.
        device: The device on which latencies are measured.
        steps: Total number of architecture steps of the search.
        measured: False if `load_state_dict` will restore the latencies.

    Raises:
        UserError: A ceiling is below the cost of the cheapest cell, or there is no such target.
    """

    def __init__(
        self,
        options: CostOptions,
        architecture: Architecture,
        target: Target,
        *,
        device: torch.device,
        steps: int,
        measured: bool = True,
    ) -> None:
        self.options, self.architecture, self.target = options, architecture, target
        topology, space = architecture.topology, architecture.space
        try:
            macs, params = counted_tables(target, topology, space)
        except (UserError, ChannelError) as error:
            raise UserError(f"--target-…: {error}") from None
        self.tables = {"macs": macs, "params": params}
        typical = {name: table.typical(topology, space) for name, table in self.tables.items()}
        self.ceilings = ceilings_of(options, typical)
        self.latencies: Latencies | None = None
        parameter = next(architecture.parameters())
        self._like: dict[str, Any] = {"device": parameter.device, "dtype": parameter.dtype}
        if "latency" in self.ceilings or (options.cost_weight and options.cost == "latency"):
            if options.latency_table is not None:
                self._set_latencies(read_latencies(options.latency_table))
            elif measured:
                # All processes use the measurement of one: their penalties must be equal.
                self._set_latencies(
                    from_main(lambda: measure_latencies(target, topology, space, device))
                )
            else:
                self.tables["latency"] = replace(macs, name="latency")
        self.multipliers = {name: torch.zeros((), **self._like) for name in self.ceilings}
        self._device = device
        self._rate = GAIN / max(steps, 1)
        self._place_tables()
        if measured:
            self._check_feasible()

    def _set_latencies(self, latencies: Latencies) -> None:
        self.latencies = latencies
        topology, space = self.architecture.topology, self.architecture.space
        self.tables["latency"] = latencies.table(self.target, topology, space)

    def _place_tables(self) -> None:
        # Copied once to the device of alpha and beta: a recorded graph cannot wait for copies.
        self._placed = {
            name: {kind: costs.to(**self._like) for kind, costs in table.operations.items()}
            for name, table in self.tables.items()
        }

    def _check_feasible(self) -> None:
        topology, space = self.architecture.topology, self.architecture.space
        target = self.target
        network = (
            f"with {target.layers} cells, {target.channels} channels and "
            f"{target.resolution}x{target.resolution} pixels"
        )
        for name, ceiling in self.ceilings.items():
            least = self.tables[name].cheapest(topology, space)
            if least > ceiling:
                raise UserError(
                    f"--max-{name} {words(name, ceiling)}: even the cheapest cell needs "
                    f"{words(name, least)} {network}. Raise the ceiling, or lower "
                    "--target-channels, --target-layers or --target-resolution."
                )
        if len(self.ceilings) > 1 and self._strongest() is None:
            both = " and ".join(f"--max-{name}" for name in self.ceilings)
            raise UserError(f"No cell keeps {both} at once {network}. Raise one of them.")

    @property
    def penalises(self) -> bool:
        return bool(self.ceilings or self.options.cost_weight)

    def expected(self, architecture: Architecture) -> dict[str, Tensor]:
        """The expected costs by name, differentiable with respect to alpha and beta."""
        return self._sums(
            architecture,
            lambda scores, topology, space: keeping_probabilities(
                scores, topology, space, self.options.cost_temperature
            ),
        )

    def _sums(
        self,
        architecture: Architecture,
        share: Callable[[Tensor, Topology, SearchSpace], Tensor],
    ) -> dict[str, Tensor]:
        shares = {
            kind: share(architecture.log_strengths(kind), architecture.topology, architecture.space)
            for kind in architecture.kinds
        }
        return {
            name: expected_cost(shares, self._placed[name], table.base)
            for name, table in self.tables.items()
        }

    def penalty(self, architecture: Architecture) -> Tensor:
        """The penalty in the architecture's loss. Each call is also one step of the dual ascent."""
        expected = self.expected(architecture)
        derived = self._sums(architecture, derived_operations)
        total = torch.zeros((), **self._like)
        if self.options.cost_weight:
            total = total + self.options.cost_weight * expected[self.options.cost].log()
        for name, multiplier in self.multipliers.items():
            excess = (derived[name] / self.ceilings[name]).log()
            total = total + (multiplier + excess).clamp_min(0) * expected[name].log()
            multiplier.add_(self._rate * excess).clamp_(min=0)
        return total

    def derive(self, name: str) -> Genotype:
        """The genotype derived from alpha and beta, or the strongest one within the ceilings."""
        genotype = self.architecture.derive(name)
        if self.fits(genotype):
            return genotype
        cells = self._strongest()
        # `_check_feasible` has found a cell that fits; if none is found now, keep the result.
        return genotype if cells is None else replace(genotype, **cells)

    def _strongest(self) -> Any:
        with torch.no_grad():
            kinds = self.architecture.kinds
            scores = {kind: self.architecture.log_strengths(kind) for kind in kinds}
        ceilings = [(self.tables[name], ceiling) for name, ceiling in self.ceilings.items()]
        return strongest_cells(
            scores, self.architecture.topology, self.architecture.space, ceilings
        )

    def fits(self, genotype: Genotype) -> bool:
        """Whether the network of a genotype is within all ceilings."""
        costs = self.of(genotype)
        return all(costs[name] <= ceiling for name, ceiling in self.ceilings.items())

    def of(self, genotype: Genotype) -> dict[str, float]:
        """The costs of the network of a genotype; counts are integers."""
        topology, space = self.architecture.topology, self.architecture.space
        costs = {name: t.of(genotype, topology, space) for name, t in self.tables.items()}
        return {name: v if name == "latency" else int(v) for name, v in costs.items()}

    def metrics(self, genotype: Genotype) -> dict[str, float]:
        """The metrics of an epoch: costs of the derived network, expected costs and weights.

        The expected costs are those of a penalty; see `darts.costs.expected`.
        """
        with torch.no_grad():
            expected = {
                name: value.item() for name, value in self.expected(self.architecture).items()
            }
        figures = {f"derived_{name}": value for name, value in self.of(genotype).items()}
        figures |= {f"expected_{name}": value for name, value in expected.items()}
        if self.penalises:
            figures |= {f"{name}_weight": m.item() for name, m in self.multipliers.items()}
            figures["operations_changed"] = self.changed(genotype)
        return figures

    def changed(self, genotype: Genotype) -> int:
        """The number of (edge, operation) pairs that differ from the plain derivation."""
        plain, topology = self.architecture.derive("plain"), self.architecture.topology
        return sum(
            len(set(chosen(genotype, kind, topology)) - set(chosen(plain, kind, topology)))
            for kind in self.architecture.kinds
        )

    def result(self, genotype: Genotype) -> dict[str, Any]:
        """The entry about the derived network's cost in `result.json`."""
        plain = self.architecture.derive(genotype.name)
        timed = {"measured_latency": self.measured(genotype)} if "latency" in self.tables else {}
        return {
            **self.of(genotype),
            **timed,
            "target": asdict(self.target),
            "ceilings": self.ceilings,
            "ceilings_kept": self.fits(genotype),
            "operations_changed": self.changed(genotype),
            "without_ceilings": {**self.of(plain), "genotype": plain.as_dict()},
        }

    def measured(self, genotype: Genotype) -> float:
        """Measured seconds for one image; the latency table only approximates them."""
        size = self.target.resolution
        return measure_latency(self.target.network(genotype), (1, 3, size, size), self._device)

    def note(self, genotype: Genotype) -> str:
        """A short text about the derived network's cost."""
        return ", ".join(words(name, value) for name, value in self.of(genotype).items())

    def write(self, run: RunDirectory) -> None:
        """Write the latencies to a file that `--latency-table` reads."""
        if self.latencies is not None:
            run.write_json(run.latencies, self.latencies.as_dict())

    def state_dict(self) -> dict[str, Any]:
        latencies = None if self.latencies is None else self.latencies.as_dict()
        multipliers = {name: value.cpu() for name, value in self.multipliers.items()}
        return {"multipliers": multipliers, "latencies": latencies}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, value in state["multipliers"].items():
            self.multipliers[name].copy_(value)
        if state["latencies"] is not None:
            self._set_latencies(Latencies.from_dict(state["latencies"], "checkpoint"))
            self._place_tables()


class CostPenalty:
    """The penalty on the expected cost, as a regulariser of the search.

        sum over costs c of lambda_c · log E[c],   lambda_c fixed, or a multiplier that is updated

    See the module for the formula of the multipliers.
    """

    # All its tensors stay on the device at fixed addresses.
    recordable: ClassVar[bool] = True

    def __init__(self, costs: CostAwareness) -> None:
        self.costs = costs

    def __call__(self, architecture: Architecture) -> Tensor:
        return self.costs.penalty(architecture)


def words(name: str, value: float) -> str:
    """A cost with its unit.

    >>> words("macs", 6e8)
    '600M multiply-adds'
    """
    if name == "latency":
        return format_seconds(value)
    return f"{format_count(value)} {'multiply-adds' if name == 'macs' else 'parameters'}"
