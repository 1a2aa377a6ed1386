"""Threads that wait asleep: set by the entry points, before torch, only where nobody has chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darts.system.waiting import wait_without_spinning, waiting_variables

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "own", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"]
)
def test_any_choice_of_the_user_stays_as_it_is(own: str) -> None:
    assert waiting_variables({own: "whatever"}) == {}
    assert "OMP_WAIT_POLICY" in waiting_variables({"OMP_NUM_THREADS": "2"})


def test_nothing_is_set_once_torch_is_loaded() -> None:
    import torch  # noqa: F401

    environment: dict[str, str] = {}
    assert not wait_without_spinning(environment)
    assert environment == {}


def run(code: str, **variables: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOMP", "KMP", "OMP_WAIT"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


SHOW = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"


def test_commands_set_it_and_an_import_does_not() -> None:
    command = f"from darts.cli import main; main(['no-such-command']); {SHOW}"
    assert run(command) == "PASSIVE"
    assert run(command, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
    assert run(command, GOMP_SPINCOUNT="100") == "None"
    assert run(f"import darts, darts.cli; {SHOW}") == "None"


@pytest.mark.skipif(sys.platform != "linux", reason="asks GNU OpenMP what it has read")
def test_the_library_of_torch_has_read_it() -> None:
    code = "from darts.cli import main; main(['no-such-command']); import torch"
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("GOMP", "KMP", "OMP_W"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
