"""Check of a recorded iteration: replays beside the same iterations, run kernel by kernel.

A graph reads fixed addresses. What it should read but does not, because the tensor moved or a
number was copied into the graph, stays as it was when the graph was recorded. So everything that a
search changes between two iterations is changed here: batches, learning rate, sampled channels,
weights, alpha and beta, running statistics. Each replay starts from the same state as an iteration
that is not recorded, and both must leave the same state behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from cells.engines import create_engine
from darts.errors import in_one_line
from darts.methods.gradient import Bilevel, SingleLevel
from darts.runs.optimisers import set_learning_rate
from darts.searching.backend_check import STATISTICS, CheckResult
from darts.searching.deviations import Deviation, Quantities, deviations
from darts.searching.probe import Probe, SearchSetting, build_probe, random_batch
from darts.searching.recording import WARM_UP, CudaGraphs, RecordedIteration, Scalars
from darts.system.device import synchronise
from ops.backends import BackendName

RECORDED = "recorded iteration"
REPLAYS = 2
"""Replays of each kind of iteration that are compared."""

# Some kernels of PyTorch add in any order, so that two runs differ in the last digits.
_FLOORS = {"fp64": 1e-9, "fp32": 1e-4, "bf16": 2e-2}
STEP_LOSSES = "losses"
MOVED = "change of the weights"
ALPHA = "change of alpha and beta"
SGD = "momentum of the weights"
ADAM = "momentum of alpha and beta"
# Adam divides by the size of the gradient, so the noise of small gradients is as large as any.
_COARSE = 100.0


def check_recording(
    setting: SearchSetting, backend: BackendName, recorder: CudaGraphs | None = None
) -> CheckResult:
    """Check the recorded iterations of a search on its device, with its shapes and precision.

    Args:
        setting: The search.
        backend: The back end that evaluates the cells.
        recorder: Records; CUDA graphs on the device of the search by default.
    """
    start, failed = time.perf_counter(), ""
    found: list[Deviation] = []
    try:
        probe = build_probe(setting)
        probe.parts.supernet.engine = create_engine(backend)
        recorder = recorder or CudaGraphs(setting.device)
        found = _compare(setting, probe, recorder)
    except Exception as error:  # Drivers document no exceptions.
        failed = in_one_line(error)
    return CheckResult.of(RECORDED, setting, setting.options.batch_size, found, start, failed)


def _compare(setting: SearchSetting, probe: Probe, recorder: CudaGraphs) -> list[Deviation]:
    recorded = RecordedIteration(probe.parts.iteration, recorder, insist=True)
    method = setting.method
    worst: dict[str, Deviation] = {}
    kinds = [False, True] if method.trains_architecture else [False]
    for bilevel in kinds:
        for one in _compare_kind(setting, probe, recorded, bilevel=bilevel):
            if one.kind not in worst or one.ratio > worst[one.kind].ratio:
                worst[one.kind] = one
    return list(worst.values())


def _compare_kind(
    setting: SearchSetting, probe: Probe, recorded: RecordedIteration, *, bilevel: bool
) -> Iterator[Deviation]:
    """The deviations of all replays of one kind of iteration."""
    problem, rate = probe.parts.problem, setting.options.learning_rate
    adam = probe.parts.architecture_optimiser
    for call in range(WARM_UP + 1 + REPLAYS):
        training, validation = (
            random_batch(setting, setting.options.batch_size, 2 * call + seed) for seed in (0, 1)
        )
        if isinstance(setting.method.gradient, SingleLevel):
            validation = training
        probe.sample_channels()
        set_learning_rate(problem.weight_optimiser, rate / (call + 1))
        batches = (training, validation if bilevel else None)
        if call < WARM_UP:
            recorded(*batches)
            continue
        synchronise(setting.device)
        before = _copied(_state(problem, adam))

        def run(replayed: bool) -> Quantities:
            _put_back(_state(problem, adam), before)  # noqa: B023
            if replayed:
                scalars = recorded(*batches)  # noqa: B023
            else:
                scalars = recorded.recorder.warm_up(lambda: probe.parts.iteration(*batches))  # noqa: B023
            synchronise(setting.device)
            return _outcome(scalars, _state(problem, adam), before)  # noqa: B023

        truth, again, given = run(False), run(False), run(True)
        floor = _FLOORS[setting.options.precision]
        floors = dict.fromkeys(truth, floor)
        floors[ALPHA] = min(floor * _COARSE, 0.1)
        yield from deviations(given, truth, [again], floors)


def _state(problem: Bilevel, adam: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Every tensor that an iteration changes or reads, by name; not a copy."""
    named: dict[str, Tensor] = {}
    owners = {"weights": problem.supernet, "alpha": problem.architecture}
    for owner, module in owners.items():
        named |= {f"{owner}/{name}": tensor for name, tensor in module.state_dict().items()}
    for owner, optimiser in (("sgd", problem.weight_optimiser), ("adam", adam)):
        for index, state in enumerate(optimiser.state.values()):
            tensors = ((name, value) for name, value in state.items() if torch.is_tensor(value))
            named |= {f"{owner}/{index}/{name}": value for name, value in tensors}
    return named


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


@torch.no_grad()
def _put_back(state: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Restore tensors in place: a graph knows their addresses."""
    for name, tensor in state.items():
        tensor.copy_(values[name])


def _outcome(
    scalars: Scalars, after: Mapping[str, Tensor], before: Mapping[str, Tensor]
) -> Quantities:
    """What an iteration returned, and how it changed the state."""
    kinds: dict[str, dict[str, Tensor]] = {
        STEP_LOSSES: {name: value.clone() for name, value in scalars.items() if "loss" in name},
        STATISTICS: {},
        MOVED: {},
        ALPHA: {},
        SGD: {},
        ADAM: {},
    }
    for name, value in after.items():
        owner, _, rest = name.partition("/")
        if not value.is_floating_point() or rest.endswith("/step"):
            continue
        if owner in ("sgd", "adam"):
            kinds[SGD if owner == "sgd" else ADAM][rest] = value.detach().clone()
        elif rest.endswith(("running_mean", "running_var")):
            kinds[STATISTICS][rest] = value.detach().clone()
        else:
            kinds[MOVED if owner == "weights" else ALPHA][rest] = value.detach() - before[name]
    return kinds
