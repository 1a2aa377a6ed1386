"""Check of a back end on the user's own device: one step beside the plain PyTorch engine.

The check builds throw-away copies of the search with its own shapes and precision. It compares what
a search reads: losses and logits, the gradient of the weights, the gradient with respect to the
tables of alpha and beta (with frozen weights, as in an architecture step), and running statistics.
What may differ is computed and not assumed: see `darts.searching.deviations`. The truth is the
plain engine in float64; for bf16 it is the plain engine without autocast.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cells.engines import create_engine
from cells.topology import EdgeWeights
from cells.torch_engine import Engine
from darts.errors import in_one_line
from darts.methods.gradient import Context, Frozen, LabelledBatch
from darts.searching.assembly import Assembled
from darts.searching.deviations import FLOORS, Deviation, Quantities, deviations
from darts.searching.probe import Probe, SearchSetting, build_probe, random_batch
from darts.system.device import forget_trial, synchronise
from ops.backends import BackendName

CPU_IMAGES = 8
"""Images of the batch on a CPU, where float64 takes long."""

LOSSES = "loss and logits"
STATISTICS = "running statistics"
WEIGHTS = "gradient of the weights"
ARCHITECTURE = "gradient of alpha and beta"


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        what: What was checked: a back end, or "recorded iteration".
        device: Where.
        precision: The precision of the run.
        images: Images of the batch.
        deviations: The largest deviation of each kind.
        seconds: How long the check took.
        failed: Why nothing could be compared, if so.
    """

    what: str
    device: str
    precision: str
    images: int
    deviations: tuple[Deviation, ...]
    seconds: float
    failed: str = ""

    @staticmethod
    def of(
        what: str,
        setting: SearchSetting,
        images: int,
        found: Sequence[Deviation],
        start: float,
        failed: str,
    ) -> CheckResult:
        """The result of a check that began at `start` (`time.perf_counter`) and ends now."""
        forget_trial(setting.device)
        seconds, precision = time.perf_counter() - start, setting.options.precision
        return CheckResult(
            what, str(setting.device), precision, images, tuple(found), seconds, failed
        )

    @property
    def passed(self) -> bool:
        return not self.failed and not any(one.wrong for one in self.deviations)

    @property
    def reason(self) -> str:
        """What is wrong, the worst deviation first; empty if nothing is."""
        if self.failed:
            return f"it fails: {self.failed}"
        wrong = sorted((one for one in self.deviations if one.wrong), key=lambda one: -one.ratio)
        return f"it differs from plain PyTorch: {wrong[0]}" if wrong else ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "passed": self.passed,
            "reason": self.reason,
            "device": self.device,
            "precision": self.precision,
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "deviations": [one.as_dict() for one in self.deviations],
        }


def check_backend(
    setting: SearchSetting, backend: BackendName, images: int | None = None
) -> CheckResult:
    """Check a back end with the shapes and the precision of a search.

    Args:
        setting: The search.
        backend: The back end.
        images: Images of the batch; by default all of a batch, `CPU_IMAGES` on a CPU. Half as many
            are tried where memory does not suffice.
    """
    start = time.perf_counter()
    options = setting.options
    if images is None:
        images = options.batch_size
        if setting.device.type == "cpu":
            images = min(images, CPU_IMAGES)
    failed, found = "", []
    while True:
        try:
            found = _compare(setting, backend, images)
        except torch.OutOfMemoryError:
            if images >= 4:
                images //= 2
                continue
            failed = "the device is out of memory"
        except Exception as error:  # Compilers and drivers document no exceptions.
            failed = in_one_line(error)
        break
    return CheckResult.of(backend, setting, images, found, start, failed)


def _compare(setting: SearchSetting, backend: BackendName, images: int) -> list[Deviation]:
    precision = setting.options.precision
    probe, batch = build_probe(setting), random_batch(setting, images)
    context: Context = probe.parts.problem.context
    plain = create_engine("torch")
    order = torch.randperm(images, generator=torch.Generator().manual_seed(0)).to(setting.device)

    tables = drawn_tables(probe)

    def run(engine: Engine, order: Tensor | None = None) -> Quantities:
        return step_numbers(probe.parts, tables, engine, batch, context, order)

    if precision == "fp32":
        truth = _in_float64(setting, probe, tables, batch)
    else:
        within = nullcontext if precision == "bf16" else context
        truth = step_numbers(probe.parts, tables, plain, batch, within)
    given = [run(plain)]
    if probe.parts.supernet.generator is None:  # Else each image has random numbers of its own.
        given.append(run(plain, order))
    checked = run(create_engine(backend))
    synchronise(setting.device)
    return deviations(checked, truth, given, FLOORS[precision])


def _in_float64(
    setting: SearchSetting, probe: Probe, tables: Mapping[str, EdgeWeights], batch: LabelledBatch
) -> Quantities:
    """The outcome of the plain engine in float64, with the weights of a probe in float32."""
    exact = build_probe(replace(setting, options=replace(setting.options, precision="fp64")))
    exact.parts.supernet.load_state_dict(probe.parts.supernet.state_dict())
    doubled = LabelledBatch(batch.images.double(), batch.labels)
    return step_numbers(exact.parts, tables, create_engine("torch"), doubled, nullcontext)


def step_numbers(
    parts: Assembled,
    tables: Mapping[str, EdgeWeights],
    engine: Engine,
    batch: LabelledBatch,
    context: Context,
    order: Tensor | None = None,
) -> Quantities:
    """Everything that both steps of a search read, by one engine; the supernet stays as it was.

    Args:
        parts: The search.
        tables: The weights of operations and edges.
        engine: Evaluates the cells.
        batch: The images.
        context: Context of the forward passes.
        order: The order in which the images are computed. Nothing depends on it but rounding.
    """
    network, criterion = parts.supernet, parts.problem.criterion
    generator = network.generator
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    noise = None if generator is None else generator.get_state()
    usual, network.engine = network.engine, engine
    if order is not None:
        batch = LabelledBatch(batch.images[order], batch.labels[order])

    def forward(tables: dict[str, EdgeWeights]) -> tuple[Tensor, Tensor]:
        with context():
            logits = network(batch.images, tables)
            return criterion(logits, batch.labels), logits

    weights = dict(network.named_parameters())
    dtype = batch.images.dtype
    try:
        loss, logits = forward(_leaves(tables, dtype, gradients=False))
        of_weights = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
        statistics = {
            name: buffer.clone()
            for name, buffer in network.named_buffers()
            if name.endswith(("running_mean", "running_var"))
        }
        if generator is not None and noise is not None:
            generator.set_state(noise)
        with Frozen(network):
            leaves = _leaves(tables, dtype, gradients=True)
            unknowns = _tensors(leaves)
            of_tables = torch.autograd.grad(
                forward(leaves)[0], list(unknowns.values()), materialize_grads=True
            )
    finally:
        network.engine = usual
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                buffer.copy_(kept[name])
        if generator is not None and noise is not None:
            generator.set_state(noise)
    logits = logits.detach()
    if order is not None:
        logits = logits[order.argsort()]
    return {
        LOSSES: {"loss": loss.detach(), "logits": logits},
        ARCHITECTURE: dict(zip(unknowns, of_tables, strict=True)),
        WEIGHTS: dict(zip(weights, of_weights, strict=True)),
        STATISTICS: statistics,
    }


def drawn_tables(probe: Probe) -> dict[str, EdgeWeights]:
    """Tables of an alpha and beta that are far from uniform, as the weight step would read them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in probe.parts.architecture.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return probe.parts.architecture.fixed_tables()


def _leaves(
    tables: Mapping[str, EdgeWeights], dtype: torch.dtype, *, gradients: bool
) -> dict[str, EdgeWeights]:
    """Copies of tables without history."""

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().to(dtype).requires_grad_(gradients)

    return {
        kind: table._replace(
            operations=leaf(table.operations),
            edges=None if table.edges is None else leaf(table.edges),
        )
        for kind, table in tables.items()
    }


def _tensors(tables: dict[str, EdgeWeights]) -> dict[str, Tensor]:
    """The tensors of some tables by name."""
    named: dict[str, Tensor] = {}
    for kind, table in tables.items():
        named[f"{kind} operations"] = table.operations
        if table.edges is not None:
            named[f"{kind} edges"] = table.edges
    return named
