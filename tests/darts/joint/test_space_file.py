from pathlib import Path

import pytest
import yaml

from darts.errors import UserError
from darts.joint.space_file import (
    describe_space,
    find_joint_space,
    list_joint_spaces,
    load_space,
    parse_space,
)
from tests.darts.joint.small import DESCRIBED


@pytest.mark.parametrize("name", list_joint_spaces())
def test_built_in_spaces_survive_a_round_trip(name: str) -> None:
    space = find_joint_space(name)
    assert space.name == name
    assert space.about
    assert parse_space(describe_space(space)) == space


def test_a_space_file_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(DESCRIBED))
    space = find_joint_space(str(path))
    assert space.name == "small"
    assert parse_space(describe_space(space)) == space


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "needs a name"),
        ({"variables": {}}, "unknown key 'variables'"),
        ({"architecture": [1]}, "architecture must be a mapping"),
        ({"recipe": {"lr": 3}}, "variable lr must be a mapping"),
        ({"recipe": {"lr": {"rael": [0, 1]}}}, r"variable lr: unknown key 'rael' \(did you mean"),
        ({"recipe": {"lr": {}}}, "variable lr: give one of choice, integer, real, log"),
        ({"recipe": {"lr": {"real": [0, 1], "log": [1, 2]}}}, "variable lr: give one of"),
        ({"recipe": {"lr": {"real": 3}}}, "variable lr: real takes a list"),
        ({"recipe": {"lr": {"real": [1]}}}, r"variable lr: real takes \[low, high\]"),
        ({"recipe": {"lr": {"real": ["low", 1]}}}, "variable lr: real: 'low' is not a number"),
        ({"recipe": {"lr": {"real": [2, 1]}}}, "variable lr: the range 2 to 1 is empty"),
        ({"recipe": {"lr": {"log": [1, 2], "step": 1}}}, "variable lr: a log has no step"),
        ({"recipe": {"lr": {"choice": []}}}, "variable lr: a choice needs values"),
        ({"recipe": {"lr": {"real": [0, 1], "sets": []}}}, "sets must be a list of names"),
        ({"recipe": {"a": {"real": [0, 1], "sets": ["depth"]}}}, "depth is decided twice"),
        ({"constraints": [{"sum": ["w0", "wa"]}]}, "unknown key 'sum'"),
        ({"constraints": [{"nondecreasing": ["w0"]}]}, "a list of two or more names"),
        ({"constraints": [{"multiple": ["w0", "wa", "wm"]}]}, "list of two names"),
        ({"constraints": [{"nondecreasing": ["w0", "w1"]}]}, "names 'w1', which no variable"),
        ({"constraints": [{"nondecreasing": ["w0", "schedule"]}]}, "'schedule', which is not a n"),
        ({"rules": [{"when": {"nothing": 1}, "multiply": {"w0": 2}}]}, "names 'nothing'"),
        ({"constraints": 0.5}, "constraints must be a list"),
        ({"rules": {"when": 1}}, "rules must be a list"),
        ({"rules": [{"when": {}, "multiply": {"w0": 2}}]}, "one variable and its value"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**DESCRIBED, **change}))
    with pytest.raises(UserError, match=message) as raised:
        load_space(path)
    assert str(path) in str(raised.value)


def test_numbers_as_people_write_them() -> None:
    described = "{name: n, recipe: {weight_decay: {log: [1e-5, 1e-3]}}}"  # strings in YAML
    space = parse_space(yaml.safe_load(described))
    assert space.variables[0].domain.low == 1e-5


def test_invalid_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Did you mean regnet"):
        find_joint_space("regnets")
    for text, message in (
        ("[1, 2]", "a space must be a mapping"),
        ("{a: [", "cannot be read as YAML"),
        ("name: empty", "no variables"),
    ):
        (tmp_path / "own.yaml").write_text(text)
        with pytest.raises(UserError, match=message):
            find_joint_space(str(tmp_path / "own.yaml"))


def test_a_space_file_cannot_run_code(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: !!python/object/apply:os.system ['touch /tmp/owned']")
    with pytest.raises(UserError, match="cannot be read as YAML"):
        load_space(path)
