"""Spaces and problems shared by the tests of the joint search."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import settings

from darts.cli import main
from darts.joint.networks.setting import NetworkSetting
from darts.joint.problem import Problem
from darts.joint.space import Space
from darts.joint.space_file import find_joint_space, parse_space
from tests.darts.joint.fake import InstantTraining
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


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a search by the command line with fake trainings."""
    place = tmp_path_factory.mktemp("joint")
    (place / "small.yaml").write_text(yaml.safe_dump(DESCRIBED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("darts.joint.stored_rounds.TrainCandidate", InstantTraining)
        flags = "--preset smoke --dataset digits --rounds 2 --candidates 6 --epochs 3 --pool 80"
        code = main(
            [
                *f"joint search --space {place / 'small.yaml'} {flags} --max-macs 4".split(),
                *f"--threads 1 --run-dir {place / 'run'}".split(),
            ]
        )
    assert code == 0
    return place / "run"
