"""A whole iteration as one CUDA graph: thousands of small kernels, launched by a single call.

Launching takes the host a few microseconds a kernel, longer than most kernels of a supernet run. A
graph records them once, with all addresses, and replays them without the host. So what changes from
step to step must stand at fixed addresses: the batch is copied into buffers, the learning rate is a
tensor (darts/runs/optimisers.py), sampled channels are a buffer of the supernet. Randomness and
input stay outside.

The first iterations run as they are, on a stream of their own: they are steps like all others and
leave behind what recording must not meet (compiled kernels, chosen algorithms, the optimisers'
buffers). Recording itself computes nothing, so no state needs to be saved for it.
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
"""Iterations of a kind before it is recorded."""


class CudaGraphs:
    """How work gets recorded on a CUDA device. A test puts something else in its place."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        # One for all, because what a stream has allocated serves no other stream.
        self._stream: torch.cuda.Stream | None = None

    def warm_up(self, work: Recordable) -> Scalars:
        """Do the work on another stream than the usual one, as recording will."""
        if self._stream is None:
            self._stream = torch.cuda.Stream(self.device)
        usual = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            scalars = work()
        usual.wait_stream(self._stream)
        return scalars

    def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
        """What replays the work, and the scalars that each replay fills anew."""
        # Streams belong to a device: work on another than the present one would not be recorded.
        with torch.cuda.device(self.device):
            graph, usual = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
            try:
                # Threads that read images may use CUDA meanwhile.
                with torch.cuda.graph(
                    graph, stream=self._stream, capture_error_mode="thread_local"
                ):
                    scalars = work()
            finally:
                # torch leaves its stream in place where ending the recording fails.
                torch.cuda.set_stream(usual)
        return graph.replay, scalars


class RecordedIteration:
    """An iteration that is replayed from a graph; the same numbers as from `iteration` itself.

    One graph is kept: a search has iterations without the architecture step first, then with it.
    All batches of a kind must have one shape.

    Args:
        iteration: `darts.searching.steps.BilevelIteration`.
        recorder: Warms up and records; `CudaGraphs` of the device that the work is on.
        insist: Whether work that cannot be recorded is an error, and not a line in the log.
    """

    def __init__(self, iteration: Step, recorder: CudaGraphs, *, insist: bool = False) -> None:
        self.iteration, self.recorder = iteration, recorder
        self.insist, self.recordable = insist, True
        self.forget()

    def forget(self) -> None:
        """Drop the graph; the next iterations warm up for another one."""
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
