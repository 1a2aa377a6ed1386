"""Two processes on one run: same numbers as one process, one writer, and a common end."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from darts import cli
from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.runs.interrupt import Interrupted
from darts.searching.options import SearchOptions
from darts.searching.supernet import Supernet
from darts.searching.task import SearchTask, search_cells
from darts.system import distributed
from darts.training import task as trainer
from darts.training.options import TrainingOptions
from genotypes import load_genotype
from ops.fused.mixed_norm import WeightedNorm
from ops.sync_norm import synchronise_norms
from tests.darts import runs_support
from tests.darts.processes import start, together

EXACT = {"precision": "fp64", "sync_norm": True}


def search_options(run_dir: Path, **settings: Any) -> SearchOptions:
    """Six steps of half a second."""
    settings = {"train_images": 120, "nodes": 2, "log_every": 50, "backend": "torch", **settings}
    return runs_support.search_options(run_dir, **settings)


def training_options(run_dir: Path, **settings: Any) -> TrainingOptions:
    """Six steps."""
    settings = {"train_images": 60, "log_every": 50, **settings}
    return runs_support.training_options(run_dir, **settings)


def run_training(options: Any) -> None:
    trainer.train_network(options, load_genotype(options.genotype))


def distance(one: Any, other: Any) -> float:
    """The largest difference of two numbers at the same place."""
    if isinstance(one, torch.Tensor):
        assert one.shape == other.shape
        return (one.double() - other.double()).abs().max().item() if one.numel() else 0.0
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return max((distance(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, (list, tuple)):
        return max((distance(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    if isinstance(one, (int, float)):
        return abs(one - other)
    assert one == other
    return 0.0


def states(*runs: Path) -> list[dict[str, Any]]:
    """The last checkpoints, without times."""
    return [{k: v for k, v in load_checkpoint(run).items() if k != "seconds"} for run in runs]


def epochs(run: Path) -> list[dict[str, Any]]:
    """The epochs' metrics, without times."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [
        {k: v for k, v in line.items() if k not in ("seconds", "genotype")}
        for line in lines
        if line["kind"] == "epoch"
    ]


RUNS: dict[str, tuple[Callable, Callable, dict[str, Any]]] = {
    "search": (search_options, search_cells, {}),
    "second-order search": (
        search_options,
        search_cells,
        {"epochs": 1, "arch_warmup_epochs": 0, "order": 2, "sampling": "random"},
    ),
    "retraining": (training_options, run_training, {"drop_path": 0.3}),
}


@pytest.mark.parametrize("kind", RUNS)
def test_two_processes_follow_the_trajectory_of_one(kind: str, tmp_path: Path) -> None:
    make, run, settings = RUNS[kind]
    settings = {**EXACT, **settings}
    one, two = tmp_path / "one", tmp_path / "two"
    run(make(one, **settings))
    together(tmp_path / "printed", run, make(two, **settings))
    assert distance(*states(one, two)) < 1e-10
    assert distance(epochs(one), epochs(two)) < 1e-5  # Means are kept in float32.
    # The second process leaves no trace.
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    assert (tmp_path / "printed" / "1.txt").read_text() == ""


def search_with_frozen_statistics(options: Any, trace: Path) -> None:
    """Also writes a digest of all parameters after each step, for each process."""
    Supernet.train = lambda self, mode=True: nn.Module.train(self, False)  # type: ignore[method-assign]
    step, digests = SearchTask.step, []

    def traced(self: SearchTask) -> Any:
        scalars = step(self)
        values = [value for module in self.modules for value in module.parameters()]
        flat = torch.cat([value.detach().reshape(-1) for value in values])
        digests.append(hashlib.sha256(flat.numpy().tobytes()).hexdigest())
        return scalars

    SearchTask.step = traced  # type: ignore[method-assign]
    search_cells(options)
    (trace / f"{distributed.rank()}.json").write_text(json.dumps(digests))


def test_frozen_statistics_and_equal_bits_at_every_step(tmp_path: Path) -> None:
    settings = {"precision": "fp64", "arch_warmup_epochs": 0}
    for processes in (1, 2):
        (tmp_path / f"trace {processes}").mkdir()
        options = search_options(tmp_path / str(processes), **settings)
        together(
            tmp_path / f"printed {processes}",
            search_with_frozen_statistics,
            options,
            tmp_path / f"trace {processes}",
            processes=processes,
        )
    assert distance(*states(tmp_path / "1", tmp_path / "2")) < 1e-10
    first, second = ((tmp_path / "trace 2" / f"{rank}.json").read_text() for rank in (0, 1))
    assert first == second
    assert len(set(json.loads(first))) == 6


def search_stopped_in_process_one(options: Any, after: int) -> None:
    step, done = SearchTask.step, 0

    def interrupting(self: SearchTask) -> Any:
        nonlocal done
        done += 1
        if done == after and distributed.rank() == distributed.world() - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self)

    SearchTask.step = interrupting  # type: ignore[method-assign]
    try:
        search_cells(options)
    except Interrupted:
        return
    raise AssertionError("not interrupted")


def test_stopped_by_any_process_and_resumed_by_another_number(tmp_path: Path) -> None:
    settings = EXACT
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    search_cells(search_options(whole, **settings))
    options = search_options(broken, **settings)
    resumed = replace(options, run_dir=None, resume=str(broken))
    together(tmp_path / "a", search_stopped_in_process_one, options, 2)
    assert load_checkpoint(broken)["step"] == 2
    together(tmp_path / "b", search_stopped_in_process_one, resumed, 2, processes=1)
    assert load_checkpoint(broken)["step"] == 4
    together(tmp_path / "c", search_cells, resumed)
    assert distance(*states(whole, broken)) < 1e-10


def search_with_a_stray_alpha(options: Any) -> None:
    begin = SearchTask.begin_epoch

    def stray(self: SearchTask, epoch: int) -> None:
        begin(self, epoch)
        if epoch == 1 and distributed.rank() == 1:
            with torch.no_grad():
                self.architecture.alpha["normal"][3, 2] += 1e-7

    SearchTask.begin_epoch = stray  # type: ignore[method-assign]
    search_cells(options)


def test_different_architectures_end_the_job(tmp_path: Path) -> None:
    options = search_options(tmp_path / "run", log_every=1)
    job = start(tmp_path / "printed", search_with_a_stray_alpha, options)
    assert job.join() == [1, 1]
    printed = job.printed(0) + job.printed(1)
    said = re.findall(
        r"UserError: The processes hold different weights .* after step (\d+)", printed
    )
    assert set(said) == {"3"}
    assert load_checkpoint(tmp_path / "run")["step"] == 0


def search_losing(options: Any, number: int) -> None:
    step, done = SearchTask.step, 0

    def losing(self: SearchTask) -> Any:
        nonlocal done
        done += 1
        if done == 2 and distributed.rank() == 1:
            os.kill(os.getpid(), number)
        return step(self)

    SearchTask.step = losing  # type: ignore[method-assign]
    search_cells(options)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_process_ends_the_others(number: int, tmp_path: Path) -> None:
    """Killing breaks its connections; suspending only stops its heartbeat."""
    options = search_options(tmp_path / "run")
    started = time.monotonic()
    job = start(tmp_path / "printed", search_losing, options, int(number), patience=3.0)
    left = job.processes[0]
    left.join(60)
    seconds = time.monotonic() - started
    job.processes[1].kill()
    job.join()
    assert left.exitcode == 1
    assert seconds < 60
    assert "One of the 2 processes of this job has died" in job.printed(0)
    assert "--resume" in job.printed(0)
    assert load_checkpoint(tmp_path / "run")["step"] == 0


def compare_norms() -> None:
    """Synchronised batch norms on half a batch, compared with plain ones on the whole batch."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64) * 3 + 5

    images, slopes, weights = draw(6, 4, 3, 3), draw(6, 4, 3, 3), draw(4)
    share = distributed.share()
    for make in (
        lambda: nn.BatchNorm2d(4, affine=True),
        lambda: nn.BatchNorm2d(4, affine=False),
        lambda: WeightedNorm(4),
    ):
        plain, synchronised = make().double(), nn.Sequential(make()).double()
        for parameter in (*plain.parameters(), *synchronised.parameters()):
            nn.init.constant_(parameter, 0.7)
        synchronise_norms(synchronised)
        results = []
        for norm, pick in ((plain, lambda x: x), (synchronised[0], share.of)):
            x, w = pick(images).clone().requires_grad_(), weights.clone().requires_grad_()
            extra = (w,) if isinstance(norm, WeightedNorm) else ()
            y = norm(x, *extra)
            unknowns = [x, *extra, *norm.parameters()]
            gradients = list(torch.autograd.grad((y * pick(slopes)).sum(), unknowns))
            if norm is not plain:  # Sums over the processes, as the plain ones are over the batch.
                for gradient in gradients[1:]:
                    torch.distributed.all_reduce(gradient)
            results.append((y.detach(), gradients, [b.clone() for b in norm.buffers()]))
        (y, gradients, buffers), found = results
        expected = (share.of(y), [share.of(gradients[0]), *gradients[1:]], buffers)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        synchronised.eval()
        inputs = (images, weights) if isinstance(plain, WeightedNorm) else (images,)
        found, expected = synchronised[0](*inputs), plain.eval()(*inputs)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_synchronised_norms_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    together(tmp_path, compare_norms)


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*command, "--nproc-per-node", "2", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[3],
    )


SMALL = "--preset smoke --dataset digits --train-images 60 --device cpu --epochs 1 --threads 1"


def command_line(arguments: list[str]) -> None:
    raise SystemExit(cli.main(arguments))


def test_a_batch_that_does_not_fit_is_refused_once(tmp_path: Path) -> None:
    job = start(tmp_path, command_line, ["search", *SMALL.split(), "--batch-size", "15"])
    assert 2 in job.join()
    printed = job.printed(0) + job.printed(1)
    assert printed.count("error: --batch-size 15") == 1
    assert "into 2 processes" in printed
    assert "Use a multiple of 2: 14, 16" in printed


def test_torchrun(tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Few steps, no compiler: what several processes compute is for the tests above.
    least = "--batch-size 10 --train-images 40 --nodes 2 --backend torch"
    done = torchrun("search.py", *SMALL.split(), *least.split(), "--run-dir", str(run))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation accuracy") == 1
    assert done.stderr.count("2 processes") == 1
    assert (run / "report.html").is_file()


def test_alone_there_is_nothing_to_do() -> None:
    assert (distributed.rank(), distributed.world(), distributed.is_main()) == (0, 1, True)
    assert distributed.from_main(lambda: "x") == "x"
    assert distributed.any_of(True)
    assert distributed.total([1.5, 2.0]) == [1.5, 2.0]
    tensor = torch.tensor([1.0])
    distributed.average([tensor])
    assert tensor.item() == 1.0
    with distributed.joined():
        assert distributed.world() == 1


def test_a_batch_that_cannot_be_accumulated_evenly() -> None:
    distributed.check_parts(12, 3)
    with pytest.raises(UserError, match=r"--batch-size 10: .* Use a multiple of 3: 9, 12"):
        distributed.check_parts(10, 3)
    with pytest.raises(UserError, match="--accumulate: must be 1 or more"):
        distributed.check_parts(10, 0)


def test_half_of_torchruns_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UserError, match=r"WORLD_SIZE is set, but not .*MASTER_ADDR"):
        distributed.joined().__enter__()
