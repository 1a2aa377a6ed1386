"""Several processes that work on one run, as torchrun starts them.

    torchrun --nproc-per-node 2 search.py …

Every process holds the complete model and works on its share of every batch. After the backward
pass, one explicit collective averages the gradients over the processes. The hooks of
DistributedDataParallel do not work here: they only see `backward`, but the gradients of the
architecture come from `torch.autograd.grad`, with substituted weights in the second order. All
random numbers of the run come from the same seeds in every process. So the parameters stay equal to
the last bit, which is checked.

With a single process, each function here does what is right for one, which is mostly nothing.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from darts.errors import UserError
from darts.system.heartbeat import Heartbeat, lost
from darts.system.share import Share

Value = TypeVar("Value")

# Others may wait this long while one process downloads, fills a cache or writes a report.
_COLLECTIVE_TIMEOUT = timedelta(hours=2)
_SETTINGS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class LostProcess(Exception):
    """Another process of the job has died; commands exit with code 1."""


class Ended(Exception):
    """Another process has already reported the error; commands exit silently with code 1."""


def rank() -> int:
    """Number of this process, counted from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes that work on this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """Number of this process on its machine, and of its GPU."""
    return int(os.environ.get("LOCAL_RANK", rank())) if dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this is the process that writes files and messages."""
    return rank() == 0


def share() -> Share:
    """The part of each batch that this process works on."""
    return Share(rank(), world())


def check_parts(batch_size: int, accumulate: int) -> None:
    """Check that a batch splits evenly into processes, and each share into parts.

    >>> check_parts(batch_size=64, accumulate=4)

    Raises:
        UserError: It does not; the message names batch sizes that do.
    """
    if accumulate < 1:
        raise UserError(f"--accumulate: must be 1 or more, not {accumulate}.")
    parts = world() * accumulate
    if batch_size % parts:
        least = max(batch_size // parts, 1) * parts
        raise UserError(
            f"--batch-size {batch_size}: this batch of all processes together cannot be split "
            f"evenly into {world()} processes with {accumulate} parts each (--accumulate). "
            f"Use a multiple of {parts}: {least}, {least + parts} …"
        )


@contextmanager
def joined(patience: float = 30.0) -> Iterator[None]:
    """Join the processes that torchrun has started; does nothing without torchrun.

    Only the main process writes to the terminal. All processes leave the block together. If one
    fails, all end: the first to fail reports the error, and the others raise `Ended`.

    Args:
        patience: Seconds without a heartbeat after which a process counts as dead.

    Raises:
        UserError: The settings of torchrun are incomplete.
        LostProcess: Another process has died.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        yield
        return
    missing = [name for name in _SETTINGS if name not in os.environ]
    if missing:
        raise UserError(
            f"WORLD_SIZE is set, but not {', '.join(missing)}. Start several processes with "
            "torchrun --nproc-per-node N …, or unset WORLD_SIZE for a single process."
        )
    heartbeat = _join(patience)
    try:
        with _silence() if rank() > 0 else nullcontext():
            yield
            barrier()
    except SystemExit:
        raise
    except BaseException as error:
        if heartbeat.first_to_end():
            if _is_lost(error):
                raise LostProcess(f"{lost(world())} ({error})") from error
            raise
        # torchrun kills all processes once one has ended; the first needs time for its message.
        time.sleep(1.0)
        raise Ended(str(error)) from error
    finally:
        heartbeat.stop()
    dist.destroy_process_group()


@contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _join(patience: float) -> Heartbeat:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=_COLLECTIVE_TIMEOUT)
    store = dist.TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), wait_for_workers=False
    )
    # torchrun keeps the store when it restarts the processes.
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    heartbeat = Heartbeat(dist.PrefixStore(f"darts {start}", store), rank(), world(), patience)
    heartbeat.start()
    return heartbeat


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )


def barrier() -> None:
    """Wait until every process has reached this point."""
    if world() > 1:
        dist.all_reduce(torch.zeros(1))


@contextmanager
def one_first() -> Iterator[None]:
    """One process of each machine runs the block first: what it downloads or compiles is reused.

    There must be no collective inside the block.
    """
    if local_rank() > 0:
        barrier()
    yield
    if local_rank() == 0:
        barrier()


def from_main(make: Callable[[], Value]) -> Value:
    """Call `make` in the main process only, and return its result in all processes."""
    box: list[Any] = [make() if is_main() else None]
    if world() > 1:
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def any_of(flag: bool) -> bool:
    """Whether `flag` is set in any process."""
    if world() == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())


def total(values: Sequence[float]) -> list[float]:
    """Sums over all processes of numbers that each has counted on its share."""
    if world() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(sums)
    return sums.tolist()


def gathered(rows: Tensor) -> Tensor:
    """The rows `[N, C]` of all processes, one process after the other; N may differ.

    >>> gathered(torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """
    if world() == 1:
        return rows
    own = [float(len(rows)) if process == rank() else 0.0 for process in range(world())]
    counts = [round(count) for count in total(own)]
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def collected(values: Sequence[Value]) -> list[Value]:
    """The values of all processes, one process after the other; they must be picklable.

    >>> collected(["a", "b"])
    ['a', 'b']
    """
    if world() == 1:
        return list(values)
    parts: list[list[Value]] = [[] for _ in range(world())]
    dist.all_gather_object(parts, list(values))
    return [value for part in parts for value in part]


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one device and number format by their means over all processes.

    They are sent as one tensor: a network has hundreds of small gradients, and every collective
    takes time.
    """
    if world() == 1 or not tensors:
        return
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world()
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view(tensor.shape))


def average_scalars(scalars: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over all processes; the names must be the same in all of them."""
    if world() == 1:
        return dict(scalars)
    means = torch.stack([value.detach().double() for value in scalars.values()])
    average([means])
    return dict(zip(scalars, means.unbind(), strict=True))


def average_statistics(modules: Iterable[nn.Module]) -> None:
    """Average the running statistics of all batch norms over the processes.

    The batch norms of a process see its share of the batches. Running statistics are linear in the
    statistics of the batches, so averaging them only when they are read is enough.
    """
    statistics = [
        value
        for module in modules
        for name, value in module.named_buffers()
        if name.rpartition(".")[2] in ("running_mean", "running_var")
    ]
    average(statistics)


def check_equal(modules: Iterable[nn.Module], when: str) -> None:
    """Check that the parameters are the same in all processes, to the last bit.

    Raises:
        UserError: They differ. It is raised in all processes; `when` completes its sentence.
    """
    if world() == 1:
        return
    digest = hashlib.sha256()
    for module in modules:
        for parameter in module.parameters():
            values = parameter.detach().cpu().contiguous().reshape(-1)
            digest.update(values.view(torch.uint8).numpy().tobytes())
    own = torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8).to(torch.int32)
    least, largest = own.clone(), own.clone()
    dist.all_reduce(least, dist.ReduceOp.MIN)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    if not least.equal(largest):
        raise UserError(
            f"The processes hold different weights or architectures {when}, so their results would "
            "mean nothing. Check that all run the same version on the same kind of device, then "
            "continue from the last checkpoint, whose parameters were equal, with --resume."
        )
