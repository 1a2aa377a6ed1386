"""Several processes working on one run, as torchrun starts them; one process needs none of it.

    torchrun --nproc-per-node 2 search.py …

Every process holds the whole model and works on its share of every batch. After the backward pass
gradients are averaged over the processes by one collective, explicitly, and not by the hooks of
DistributedDataParallel: those see `backward` only, while the architecture's gradients come from
`torch.autograd.grad`, of substituted weights in the second order. All else that decides about the
run is drawn from the same seeds by all. So parameters stay equal to the last bit, which is checked.

With one process each function here does nothing, or what is right for one.
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

# For what keeps a process busy while others wait: a download, a cache of images, a report.
_COLLECTIVE_TIMEOUT = timedelta(hours=2)
_SETTINGS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class LostProcess(Exception):
    """Another process of the job is gone; commands exit with code 1."""


class Ended(Exception):
    """Another process of the job has said why all end; commands exit with code 1, silently."""


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Number of processes that work on this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """Number of this process among those of its machine: that of its accelerator, too."""
    return int(os.environ.get("LOCAL_RANK", rank())) if dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this is the one process that writes and speaks."""
    return rank() == 0


def share() -> Share:
    """The part of each batch that this process works on."""
    return Share(rank(), world())


def check_parts(batch_size: int, accumulate: int) -> None:
    """Refuse batches that cannot be split evenly among processes, and each share into parts.

    Raises:
        UserError: It names sizes that can.
    """
    if accumulate < 1:
        raise UserError(f"--accumulate: must be 1 or more, not {accumulate}.")
    parts = world() * accumulate
    if batch_size % parts:
        least = max(batch_size // parts, 1) * parts
        raise UserError(
            f"--batch-size {batch_size}: it is the batch of all processes together, and cannot be "
            f"split evenly among {world()} processes with {accumulate} parts each (--accumulate). "
            f"Multiples of {parts} can: {least}, {least + parts} …"
        )


@contextmanager
def joined(patience: float = 30.0) -> Iterator[None]:
    """Work together with the processes that torchrun has started; does nothing without torchrun.

    Only the main one writes to the terminal. All leave together. Where one fails, all end: the
    first to fail says why, and the others raise `Ended`.

    Args:
        patience: Seconds without a sign of life after which a process counts as lost.

    Raises:
        UserError: torchrun's settings are not complete.
        LostProcess: Another process is gone.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        yield
        return
    missing = [name for name in _SETTINGS if name not in os.environ]
    if missing:
        raise UserError(
            f"WORLD_SIZE is set, but not {', '.join(missing)}. Start several processes by "
            "torchrun --nproc-per-node N …, and a single one without WORLD_SIZE."
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
        time.sleep(1.0)  # torchrun ends all once one has ended; the first needs time to speak.
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
    # torchrun keeps the store when it starts the processes anew.
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    heartbeat = Heartbeat(dist.PrefixStore(f"darts {start}", store), rank(), world(), patience)
    heartbeat.start()
    return heartbeat


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )


def barrier() -> None:
    """Wait until every process has come here."""
    if world() > 1:
        dist.all_reduce(torch.zeros(1))


@contextmanager
def one_first() -> Iterator[None]:
    """One process of each machine goes first, for what it downloads or compiles serves the others.

    There must be no collective inside.
    """
    if local_rank() > 0:
        barrier()
    yield
    if local_rank() == 0:
        barrier()


def from_main(make: Callable[[], Value]) -> Value:
    """What `make` returns in the main process, for all; the others do not call it."""
    box: list[Any] = [make() if is_main() else None]
    if world() > 1:
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def any_of(flag: bool) -> bool:
    """Whether `flag` is set in some process."""
    if world() == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32)
    dist.all_reduce(flags, dist.ReduceOp.MAX)
    return bool(flags.item())


def total(values: Sequence[float]) -> list[float]:
    """Sums over all processes, of numbers that each has counted on its share."""
    if world() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(sums)
    return sums.tolist()


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one device and number format by their means over all processes.

    They travel as one: a network has hundreds of small gradients, and a collective has its price.
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
    """Means over all processes; the same names everywhere, on the device."""
    if world() == 1:
        return dict(scalars)
    means = torch.stack([value.detach().double() for value in scalars.values()])
    average([means])
    return dict(zip(scalars, means.unbind(), strict=True))


def average_statistics(modules: Iterable[nn.Module]) -> None:
    """Give the norms of every process the mean of all processes' running statistics.

    Each process's norms see its share of the batches. Running statistics are linear in what they
    have seen, so it is of no account how often they are averaged: whenever they are read.
    """
    statistics = [
        value
        for module in modules
        for name, value in module.named_buffers()
        if name.rpartition(".")[2] in ("running_mean", "running_var")
    ]
    average(statistics)


def check_equal(modules: Iterable[nn.Module], when: str) -> None:
    """End the job unless the parameters are the same in all processes, to the last bit.

    Raises:
        UserError: In all processes; `when` completes the sentence.
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
            "mean nothing. Do all run the same version, on the same kind of device? Go on from the "
            "last checkpoint, whose parameters were equal, by --resume."
        )
