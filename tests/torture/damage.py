"""Damaged files: a checkpoint is not used, and a command that continues says what is wrong."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint, save_checkpoint
from tests.darts.runs_support import assert_same
from tests.torture.contents import contents, first_difference
from tests.torture.faults import Bench, Broken, fault_kind, said, went_well, whole
from tests.torture.forker import Fault
from tests.torture.kinds import Effort, Kind, Tally


def truncated(data: bytes, draws: random.Random) -> bytes:
    return data[: draws.randrange(len(data))]


def flipped(data: bytes, draws: random.Random) -> bytes:
    """One bit differs."""
    place = draws.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << draws.randrange(8))]) + data[place + 1 :]


def empty(data: bytes, draws: random.Random) -> bytes:
    return b""


def zeroed(data: bytes, draws: random.Random) -> bytes:
    """A block of zeros, as some file systems leave after a crash."""
    place = draws.randrange(len(data))
    return data[:place] + bytes(len(data[place : place + 4096])) + data[place + 4096 :]


def doubled(data: bytes, draws: random.Random) -> bytes:
    return data + data


def garbage(data: bytes, draws: random.Random) -> bytes:
    return draws.randbytes(draws.randrange(1, 2000))


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(truncated, flipped, flipped, empty, zeroed, garbage),
)


def damaged_checkpoints(effort: Effort) -> Tally:
    """Damage the newest checkpoint, or both: the one before is read, or none."""
    tally = Tally()
    for step in (1, 2):
        save_checkpoint(_state(step), effort.place)
    newest, previous = (effort.place / f"checkpoint{part}.pt" for part in ("", ".previous"))
    kept = newest.read_bytes(), previous.read_bytes()
    for number in range(effort.first, effort.first + effort.cases):
        draws = random.Random(f"damaged-checkpoints {effort.seed} {number}")
        damage, both = draws.choice(DAMAGES), draws.random() < 0.2
        newest.write_bytes(damage(kept[0], draws))
        previous.write_bytes(damage(kept[1], draws) if both else kept[1])
        try:
            with warnings.catch_warnings(record=True) as said_so:
                warnings.simplefilter("always")
                state = load_checkpoint(effort.place)
        except UserError:
            if both:
                tally.refused += 1
            else:
                tally.faults.append(f"{number}: the one before was not used ({damage.__name__})")
            continue
        except Exception as error:
            tally.faults.append(f"{number}: {type(error).__name__}: {error} ({damage.__name__})")
            continue
        try:
            assert_same(state, _state(1))
            same = True
        except AssertionError:
            same = False
        if both or not said_so or not same:
            tally.faults.append(f"{number}: something else was read ({damage.__name__})")
        else:
            tally.done += 1
    return tally


def _state(step: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(step)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator))
    history = [{"epoch": epoch, "loss": epoch / 3, "reason": None} for epoch in range(step)]
    stream = generator.get_state()
    return {"step": step, "network": network.state_dict(), "history": history, "stream": stream}


def damage_file(bench: Bench, draws: random.Random) -> bool:
    """One file of a half-finished run is damaged, or is that of another run."""
    calls = whole(bench.name).calls
    bench.begin(fault=Fault(mode="kill", at=draws.randint(calls // 3, calls)))
    files = sorted(
        path
        for path in bench.place.rglob("*")
        if path.is_file()
        and path.suffix not in (".lock", ".svg", ".png", ".gv")
        # It has no checksum: TensorBoard skips what it cannot read.
        and "tfevents" not in path.name
        and path.stat().st_size
    )
    file = draws.choice(files)
    damage = draws.choice((*DAMAGES, doubled))
    file.write_bytes(damage(file.read_bytes(), draws))
    what = f"{damage.__name__} {file.relative_to(bench.place)}"
    ended = bench.go_on()
    try:
        done = went_well(ended, always=True)
    except Broken as broken:
        raise Broken(f"{what}: {broken}") from None
    if done:
        _check_others(bench, file, what)
    return done


def _check_others(bench: Bench, damaged: Path, what: str) -> None:
    """A damaged file that nothing reads again may stay; it must not change any other file.

    Pages may say that it is damaged. A damaged checkpoint becomes the previous one when the next
    one is written.
    """
    names = {damaged.relative_to(bench.place).as_posix()}
    if damaged.name == "checkpoint.pt":
        names.add(f"{next(iter(names)).removesuffix('.pt')}.previous.pt")
    found = contents(bench.place, bench.durable.leave, unread=names)
    right = dict(whole(bench.name).contents)
    for name in found:
        if name in names or (name.endswith(".html") and name in right):
            right[name] = found[name]
    difference = first_difference(right, found)
    if difference is not None:
        raise Broken(f"{what}: {difference}")


def swap(bench: Bench, draws: random.Random) -> bool:
    """A checkpoint of another run, or a setting that was edited: refused, and nothing is lost."""
    calls = whole(bench.name).calls
    bench.begin(fault=Fault(mode="kill", at=draws.randint(2 * calls // 3, calls)))
    if not (bench.run_dir / "checkpoint.pt").exists():
        bench.finish()
        return True
    other = draws.choice([name for name in SWAPPED if name != bench.name])
    stranger = Bench(other, bench.place.parent / "stranger")
    if (ended := stranger.begin()).code != 0:
        raise Broken(said(ended))
    files = [bench.run_dir / f"checkpoint{part}.pt" for part in ("", ".previous")]
    kept = {file: file.read_bytes() for file in files if file.exists()}
    for file in kept:
        shutil.copyfile(stranger.run_dir / "checkpoint.pt", file)
    ended = bench.go_on()
    if ended.code != 2 or ended.traceback:
        raise Broken(f"the checkpoint of {other}: {said(ended)}")
    for file, content in kept.items():
        Path(file).write_bytes(content)
    bench.finish()
    return False


SWAPPED = (
    *("search pc-darts", "search gdas", "search darts-v2", "search drnas"),
    *("search, nasbench201", "evaluate, plain", "evaluate, tricks", "detect"),
)

KINDS: tuple[Kind, ...] = (
    Kind(
        "damaged-checkpoints",
        "checkpoints cut off, with a flipped bit, empty, zeroed, of garbage",
        damaged_checkpoints,
        cases=300,
        few=30,
    ),
    fault_kind("damaged-files", "any file of a run that continues", damage_file, 60),
    fault_kind("swapped", "the checkpoint of another run", swap, 8, SWAPPED),
)
