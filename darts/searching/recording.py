"""An iteration as one CUDA graph: thousands of small kernels, launched by a single call.

Launching a kernel takes the host a few microseconds, which is longer than most kernels of a
supernet run. A graph records them once, with all addresses, and replays them without the host. So
everything that changes from step to step must be at a fixed address: the batch is copied into
buffers, the learning rate is a tensor (darts/runs/optimisers.py), the sampled channels are a buffer
of the supernet. Random numbers and the input pipeline stay outside.

The first iterations run normally, on a stream of their own. They are steps like all others, and
they do everything that must not happen during recording: compile kernels, choose algorithms,
allocate the optimisers' buffers. Recording itself computes nothing, so no state has to be saved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from darts.errors import UserError
from darts.methods.gradient import LabelledBatch

_log = logging.getLogger(__name__)

Scalars = Mapping[str, Tensor]
Recordable = Callable[[], Scalars]
Step = Callable[[LabelledBatch, LabelledBatch | None], Scalars]

WARM_UP = 3
"""Number of iterations of a kind that run before it is recorded."""


class CudaGraphs:
    """Records work on a CUDA device. Tests replace it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        # One stream for everything: memory that a stream has allocated is not reused by others.
        self._stream: torch.cuda.Stream | None = None

    def warm_up(self, work: Recordable) -> Scalars:
        """Run the work on the stream that will record it."""
        if self._stream is None:
            self._stream = torch.cuda.Stream(self.device)
        usual = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            scalars = work()
        usual.wait_stream(self._stream)
        return scalars

    def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
        """Record the work; return the function that replays it, and the scalars it overwrites."""
        # A stream belongs to a device: only work on the current device is recorded.
        with torch.cuda.device(self.device):
            graph, usual = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
            try:
                # Other threads, which read images, may use CUDA meanwhile.
                with torch.cuda.graph(
                    graph, stream=self._stream, capture_error_mode="thread_local"
                ):
                    scalars = work()
            finally:
                # If the recording fails at its end, torch does not restore the stream.
                torch.cuda.set_stream(usual)
        return graph.replay, scalars


class RecordedIteration:
    """An iteration that is replayed from a graph, with the same numbers as `iteration` itself.

    Only one graph is kept: a search first has iterations without the architecture step, then
    iterations with it. All batches of a kind must have the same shape.

    >>> def iteration(training, validation=None):
    ...     return {"loss": training.images.mean()}
    >>> class Recorder:  # Stands in for CUDA.
    ...     def warm_up(self, work): return work()
    >>> batch = LabelledBatch(torch.ones(2, 3, 4, 4), torch.zeros(2))
    >>> RecordedIteration(iteration, Recorder())(batch)
    {'loss': tensor(1.)}

    Args:
        iteration: `darts.searching.steps.BilevelIteration`.
        recorder: Warms up and records, `CudaGraphs` for the device of the search.
        insist: Whether it is an error if the iteration cannot be recorded; otherwise it runs
            kernel by kernel, with a line in the log.
    """

    def __init__(self, iteration: Step, recorder: CudaGraphs, *, insist: bool = False) -> None:
        self.iteration, self.recorder = iteration, recorder
        self.insist, self.recordable = insist, True
        self.forget()

    def forget(self) -> None:
        """Drop the graph; the next iterations warm up for a new one."""
        self._bilevel: bool | None = None
        self._steps = 0
        self._batches: list[LabelledBatch] = []
        self._replay: Callable[[], None] | None = None
        self._scalars: Scalars = {}

    def __call__(self, training: LabelledBatch, validation: LabelledBatch | None = None) -> Scalars:
        if not self.recordable:
            return self.iteration(training, validation)
        if self._bilevel != (validation is not None):
            self.forget()
            self._bilevel = validation is not None
        self._steps += 1
        if self._steps <= WARM_UP:
            return self.recorder.warm_up(lambda: self.iteration(training, validation))
        batches = [training] if validation is None else [training, validation]
        if self._replay is None and not self._record(batches):
            return self.iteration(training, validation)
        assert self._replay is not None
        for buffers, batch in zip(self._batches, batches, strict=True):
            for buffer, tensor in zip(buffers, batch, strict=True):
                buffer.copy_(tensor)
        self._replay()
        return {name: value.clone() for name, value in self._scalars.items()}

    def _record(self, batches: list[LabelledBatch]) -> bool:
        self._batches = [LabelledBatch(*map(torch.empty_like, batch)) for batch in batches]
        try:
            self._replay, self._scalars = self.recorder.record(
                lambda: self.iteration(*self._batches)
            )
        except RuntimeError as error:
            if self.insist:
                raise UserError(
                    f"--cuda-graphs always: the iteration cannot be recorded here ({error}). "
                    "--cuda-graphs never runs it kernel by kernel."
                ) from error
            _log.warning("Iterations run kernel by kernel, without a CUDA graph: %s", error)
            self.recordable = False
            return False
        return True


def wants_graphs(
    wish: Literal["auto", "always", "never"], device: torch.device, recordable: bool
) -> bool:
    """Whether to record iterations; by default only on CUDA, and only recordable methods.

    Args:
        wish: The option `--cuda-graphs`.
        device: Where the search computes.
        recordable: Whether all parts of the method can be recorded; see `Method.recordable`.

    Raises:
        UserError: They are wanted on a device without CUDA graphs.
    """
    if wish == "always" and device.type != "cuda":
        raise UserError(f"--cuda-graphs always: needs a CUDA device, and the run is on {device}.")
    return wish == "always" or (wish == "auto" and device.type == "cuda" and recordable)
