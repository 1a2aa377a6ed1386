import os
import random
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from darts.errors import UserError
from darts.runs import checkpoints
from darts.runs.checkpoints import (
    load_checkpoint,
    load_checkpoint_file,
    save_checkpoint,
    settle_checkpoints,
)

SIZE = 100


def state_of(step):
    values = torch.full((SIZE,), float(step), dtype=torch.float64)
    return {"step": step, "values": values, "nested": {"list": [step, (1.5, None, "text", True)]}}


def assert_is(state, step):
    expected = state_of(step)
    assert torch.equal(state.pop("values"), expected.pop("values"))
    assert state == expected


def flip_a_bit(path, offset=None):
    """By default in the middle of the tensor of `state_of(2)`."""
    data = bytearray(path.read_bytes())
    if offset is None:
        offset = data.index(np.float64(2).tobytes() * SIZE) + 4 * SIZE
    data[offset] ^= 1
    path.write_bytes(data)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def other_file(path):
    path.write_text("no checkpoint")


DAMAGES = [flip_a_bit, truncate, other_file, Path.unlink, lambda path: path.write_bytes(b"")]


@pytest.mark.filterwarnings("error")
def test_what_was_saved_is_read_in_silence(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.eye(2)).square().sum().backward()
    optimiser.step()
    state = {"step": 3, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
    save_checkpoint(state, tmp_path)
    loaded = load_checkpoint(tmp_path, required=("model", "optimiser"))
    assert loaded.keys() == state.keys()
    assert isinstance(loaded["model"], OrderedDict)
    assert all(torch.equal(loaded["model"][name], state["model"][name]) for name in state["model"])
    moments = loaded["optimiser"]["state"][0], state["optimiser"]["state"][0]
    assert torch.equal(moments[0]["exp_avg_sq"], moments[1]["exp_avg_sq"])
    assert loaded["optimiser"]["param_groups"] == state["optimiser"]["param_groups"]
    assert os.listdir(tmp_path) == ["checkpoint.pt"]


def test_the_one_before_is_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(state_of(step), tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint.previous.pt", "checkpoint.pt"]
    assert_is(load_checkpoint_file(tmp_path / "checkpoint.pt"), 3)
    assert_is(load_checkpoint_file(tmp_path / "checkpoint.previous.pt"), 2)


@pytest.mark.parametrize("harm", DAMAGES)
def test_damaged_newest_falls_back_and_says_so(tmp_path, harm):
    save_checkpoint(state_of(1), tmp_path)
    save_checkpoint(state_of(2), tmp_path)
    harm(tmp_path / "checkpoint.pt")
    with pytest.warns(
        UserWarning, match=r"checkpoint\.pt .*continuing from .*previous\.pt \(step 1"
    ):
        assert_is(load_checkpoint(tmp_path), 1)


def test_torch_reads_the_file_but_would_not_notice_damage(tmp_path):
    save_checkpoint(state_of(2), tmp_path)
    path = tmp_path / "checkpoint.pt"
    assert torch.equal(torch.load(path, weights_only=True)["values"], state_of(2)["values"])
    flip_a_bit(path)
    assert not torch.equal(torch.load(path, weights_only=True)["values"], state_of(2)["values"])


@pytest.mark.parametrize("harm", DAMAGES)
def test_both_damaged_is_an_error_that_names_both(tmp_path, harm):
    save_checkpoint(state_of(2), tmp_path)
    save_checkpoint(state_of(2), tmp_path)
    harm(tmp_path / "checkpoint.pt")
    other_file(tmp_path / "checkpoint.previous.pt")
    with pytest.raises(UserError, match=r"checkpoint\.pt .*checkpoint\.previous\.pt is damaged"):
        load_checkpoint(tmp_path)


def test_no_checkpoint_at_all(tmp_path):
    with pytest.raises(UserError, match="There is no checkpoint"):
        load_checkpoint(tmp_path)


def test_saving_over_a_damaged_newest_never_loses_the_whole_one(tmp_path, monkeypatch):
    save_checkpoint(state_of(1), tmp_path)
    save_checkpoint(state_of(2), tmp_path)
    flip_a_bit(tmp_path / "checkpoint.pt")
    steps_seen = []

    def watched(operation):
        def run(*arguments):
            operation(*arguments)
            with pytest.warns(UserWarning, match="differs") if not steps_seen else nullcontext():
                steps_seen.append(load_checkpoint(tmp_path)["step"])

        return run

    monkeypatch.setattr(os, "link", watched(os.link))
    monkeypatch.setattr(os, "replace", watched(os.replace))
    save_checkpoint(state_of(3), tmp_path)
    assert steps_seen == [1, 3, 3]


@pytest.mark.filterwarnings("error")
def test_any_flipped_bit_is_refused(tmp_path):
    save_checkpoint({"step": 1, "a": torch.ones(2)}, tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for place in random.Random(0).sample(range(len(whole) * 8), 400):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(UserError, match="damaged"):
            load_checkpoint_file(path)


def test_any_truncation_is_refused(tmp_path):
    save_checkpoint(state_of(2), tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for length in {0, 1, len(whole) - 1, *random.Random(0).sample(range(len(whole)), 100)}:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged"):
            load_checkpoint_file(path)


@pytest.mark.parametrize("content", [{"step": 1}, torch.zeros(2)])
def test_other_peoples_files_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(
        UserError, match=r"file\.pt is damaged, or is not a checkpoint of this toolkit"
    ):
        load_checkpoint_file(tmp_path / "file.pt")


def test_other_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_FORMAT", 2)
    save_checkpoint(state_of(1), tmp_path)
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"has format 2, .* reads format 1"):
        load_checkpoint(tmp_path)


def test_load_file_takes_a_run_and_names_what_is_missing(tmp_path):
    save_checkpoint(state_of(1), tmp_path)
    assert_is(load_checkpoint_file(tmp_path), 1)
    with pytest.raises(UserError, match=r"absent\.pt does not exist"):
        load_checkpoint_file(tmp_path / "absent.pt")
    with pytest.raises(UserError, match=r"lacks model, supernet: .* another kind of run"):
        load_checkpoint_file(tmp_path / "checkpoint.pt", required=("supernet", "step", "model"))


@pytest.mark.parametrize(
    ("part", "where"),
    [(np.float64(1), r"\['a'\]\[0\] is a float64"), ({1, 2}, r"\['a'\]\[0\] is a set")],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, part, where):
    with pytest.raises(TypeError, match=where):
        save_checkpoint({"step": 1, "a": [part]}, tmp_path)
    with pytest.raises(ValueError, match="step"):
        save_checkpoint({"a": 1}, tmp_path)
    assert os.listdir(tmp_path) == []


def test_file_system_without_hard_links(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    for step in (1, 2, 3):
        save_checkpoint(state_of(step), tmp_path)
    assert_is(load_checkpoint_file(tmp_path / "checkpoint.pt"), 3)
    assert_is(load_checkpoint_file(tmp_path / "checkpoint.previous.pt"), 2)


WRITERS = """
import os, sys
import torch
from darts.runs.checkpoints import save_checkpoint

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        step = int(line)
        while True:
            step += 1
            values = torch.full((20_000,), float(step), dtype=torch.float64)
            save_checkpoint({"step": step, "values": values}, sys.argv[1])
            if step == int(line) + 1:
                print(os.getpid(), flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("error")
def test_killed_writers_leave_a_whole_checkpoint(tmp_path):
    """A process imports torch and forks ten writers; each is killed while it saves in a loop.

    However slow the machine is, each writer saves once.
    """
    run = tmp_path / "run"
    run.mkdir()
    save_checkpoint({"step": 0, "values": torch.zeros(20_000, dtype=torch.float64)}, run)
    chance = random.Random(time.time_ns())
    step = 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(run)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        for _ in range(10):
            print(step, file=parent.stdin, flush=True)
            child = int(parent.stdout.readline())
            time.sleep(chance.uniform(0, 0.1))
            os.kill(child, signal.SIGKILL)
            assert int(parent.stdout.readline()) == signal.SIGKILL
            state = load_checkpoint(run)
            assert state["step"] > step
            step = state["step"]
            assert torch.equal(state["values"], torch.full((20_000,), float(step)).double())
        parent.stdin.close()
    save_checkpoint(state_of(step + 1), run)
    assert sorted(os.listdir(run)) == ["checkpoint.previous.pt", "checkpoint.pt"]


@pytest.mark.parametrize("written", [False, True])
def test_what_a_kill_within_a_write_leaves_is_settled(written, tmp_path):
    """The current checkpoint waits under a hidden name until the new one is complete."""
    save_checkpoint(state_of(1), tmp_path)
    save_checkpoint(state_of(2), tmp_path)
    waiting = tmp_path / ".checkpoint.previous.pt"
    waiting.hardlink_to(tmp_path / "checkpoint.pt")
    if written:
        other = tmp_path / "other"
        other.mkdir()
        save_checkpoint(state_of(3), other)
        (other / "checkpoint.pt").replace(tmp_path / "checkpoint.pt")
        other.rmdir()
    settle_checkpoints(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
    ]
    assert_is(load_checkpoint(tmp_path), 3 if written else 2)
    assert_is(load_checkpoint_file(tmp_path / "checkpoint.previous.pt"), 2 if written else 1)
