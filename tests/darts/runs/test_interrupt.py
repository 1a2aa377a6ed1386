import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from darts.runs.interrupt import Interrupted, InterruptGuard

# Who runs the tests in the background may ignore signals, and children inherit that.
LOOP = """
import signal, time
from darts.runs.interrupt import InterruptGuard

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with InterruptGuard() as guard:
    print("running", flush=True)
    while not guard.requested:
        time.sleep(0.01)
    print("finishing", flush=True)
    time.sleep({pause})
print("checkpoint written", flush=True)
"""


def start(pause):
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP.format(pause=pause)],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "running\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_lets_the_loop_finish(number):
    with start(pause=0.05) as process:
        process.send_signal(number)
        assert process.communicate(timeout=30)[0] == "finishing\ncheckpoint written\n"
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_at_once(number):
    with start(pause=60) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "finishing\n"
        time.sleep(0.3)
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert output == ""
    assert "KeyboardInterrupt" in errors


def test_signal_sent_twice_at_once_is_one_request():
    with InterruptGuard() as guard:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert guard.requested


def test_handlers_are_put_back():
    def mine(number, frame):
        raise AssertionError

    found = signal.signal(signal.SIGTERM, mine), signal.getsignal(signal.SIGINT)
    try:
        with suppress(ZeroDivisionError), InterruptGuard():
            assert signal.getsignal(signal.SIGTERM) is not mine
            raise ZeroDivisionError
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is found[1]
    finally:
        signal.signal(signal.SIGTERM, found[0])


def test_other_threads_are_left_alone():
    seen = []

    def run():
        with InterruptGuard() as guard:
            seen.extend([guard.requested, signal.getsignal(signal.SIGINT)])

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False, before]


def test_interrupted_says_how_to_resume(tmp_path):
    error = Interrupted(tmp_path)
    assert error.run_dir == str(tmp_path)
    assert str(error).endswith(f"--resume {tmp_path}")


def test_a_request_reaches_the_guard_around() -> None:
    with InterruptGuard() as outer:
        outer.at_once = True
        with InterruptGuard() as inner:
            os.kill(os.getpid(), signal.SIGTERM)
            assert inner.requested
            assert not outer.requested
        assert outer.requested
        with InterruptGuard():
            pass
    with InterruptGuard() as other, InterruptGuard():
        pass
    assert not other.requested


def test_a_signal_that_is_ignored_stays_so():
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with InterruptGuard() as guard:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not guard.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
