"""Fixtures and environment of all tests."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Set before torch is loaded, and inherited by the commands that tests start: the tensors here are
# small, and test processes run in parallel.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "agg"

import pytest
import torch

# Half a million objects of libraries and tests are made while tests are collected, and none is
# garbage: the collector would look through all of them again and again, for seconds.
gc.disable()

# Set before Triton is loaded: without a GPU its kernels run in its interpreter, on the CPU.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


# Searches would measure their back ends first, each for its own shapes.
if shutil.which("c++") and not torch.cuda.is_available():
    os.environ.setdefault("DARTS_BACKEND", "native")


def pytest_collection_finish() -> None:
    """From here on only what tests make is looked through for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded random generator on the CPU."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium for all tests of pages; they skip where there is none."""
    from tests.browser import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference files that `DARTS_REFERENCE` names; the test skips without it."""
    folder = os.environ.get("DARTS_REFERENCE")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs DARTS_REFERENCE: a folder of reference files")
    return Path(folder)
