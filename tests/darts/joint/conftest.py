"""Spaces and problems shared by the tests of the joint search."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import settings

from darts.joint.networks.setting import NetworkSetting
from darts.joint.problem import Problem
from darts.joint.space import Space
from darts.joint.space_file import find_joint_space, parse_space
from tests.darts.joint.small import DESCRIBED

settings.register_profile("joint", deadline=None, derandomize=True)
settings.load_profile("joint")


@pytest.fixture
def space() -> Space:
    """A small space with every kind of variable."""
    return parse_space(DESCRIBED)


@pytest.fixture
def uniform() -> Callable[..., np.ndarray]:
    """Seeded numbers in [0, 1) of any shape."""
    generator = np.random.default_rng(0)
    return lambda *shape: generator.random(shape)


@pytest.fixture(scope="session")
def cells() -> Problem:
    """The cells of NAS-Bench-201: 15,625 candidates with costs; nothing is trained."""
    return Problem(find_joint_space("nb201"), NetworkSetting(num_classes=10, resolution=32))
