import itertools

import numpy as np
import pytest
from scipy.stats import qmc

from darts.errors import UserError
from darts.joint.sampling import quasi_random
from darts.joint.space_file import find_joint_space, parse_space


def test_sizes_are_products(space) -> None:
    plain = find_joint_space("nb201")
    assert plain.size == 5**6
    assert space.size == float("inf")
    recipe = find_joint_space("recipe")
    assert recipe.size == 7 * 11 * 2 * 2 * 40 * 21 * 42 * 15


def test_features_by_hand(space) -> None:
    row = {
        "depth": 12,
        "w0": 32,
        "wa": 30.0,
        "wm": 2.25,
        "group_width": 16,
        "bottleneck": 1.0,
        "learning_rate": 0.1,
        "regularisation": 0.1,
        "schedule": "linear",
        "auxiliary": True,
    }
    genes = space.genes([row])
    # depth, w0, wa, wm, one-hot group width; the bottleneck has one value, so no feature.
    assert space.features(genes, "architecture")[0] == pytest.approx([1 / 3, 1, 0.5, 0.25, 0, 1])
    assert space.features(genes, "recipe")[0] == pytest.approx([0.5, 0.25, 0, 1, 1, 0])
    assert space.width() == 12
    (back,) = space.rows(genes)
    assert back.pop("learning_rate") == pytest.approx(row.pop("learning_rate"))
    assert back == row


def test_shared_variables_and_rules(space) -> None:
    genes = np.zeros((2, len(space)))
    names = [variable.name for variable in space.variables]
    genes[:, names.index("regularisation")] = 3
    genes[1, names.index("schedule")] = 1
    columns = space.columns(genes)
    assert "regularisation" not in columns
    assert columns["drop_path"].tolist() == columns["label_smoothing"].tolist() == [0.3, 0.3]
    # The second candidate has the linear schedule, so the sampled rate is multiplied by 4.
    assert columns["learning_rate"] == pytest.approx([0.01, 0.04])
    # The predictor sees the sampled rate.
    assert space.features(genes, "recipe")[:, 0].tolist() == [0, 0]


@pytest.mark.parametrize("name", ["fbnetv3-wide+recipe", "regnet+recipe", "darts-cell", "nb201"])
def test_genes_survive_features_and_rows(name: str, uniform) -> None:
    space = find_joint_space(name)
    genes = space.draw(uniform(300, len(space)))
    assert (space.nearest(space.features(genes)) == genes).all()
    assert (space.genes(space.rows(genes)) == genes).all()
    parts = [space.features(genes, part) for part in ("architecture", "recipe")]
    assert (np.concatenate(parts, axis=1) == space.features(genes)).all()


def test_quasi_random_points_are_reproducible_and_even(space) -> None:
    first, again, other = (next(quasi_random(space, seed)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert not np.array_equal(first, other)
    # The discrepancy of independent samples would be about 1/(2·512).
    column = [variable.name for variable in space.variables].index("wm")
    assert qmc.discrepancy(first[:512, [column]]) < 1e-4


def test_sampled_candidates_fulfil_the_constraints() -> None:
    described = {
        "name": "ordered",
        "recipe": {
            "a": {"integer": [1, 6]},
            "b": {"integer": [1, 6]},
            "c": {"integer": [1, 6]},
        },
        "constraints": [{"nondecreasing": ["a", "b"]}, {"multiple": ["c", "a"]}],
    }
    space = parse_space(described)
    drawn = {tuple(row) for row in next(quasi_random(space, 0)) + 1}
    triples = itertools.product(range(1, 7), repeat=3)
    assert drawn == {(a, b, c) for a, b, c in triples if a <= b and c % a == 0}


def test_joined_spaces_have_the_architecture_first() -> None:
    joined = find_joint_space("recipe+darts-cell")
    assert joined.network == "cells"
    assert [variable.part for variable in joined.variables] == ["architecture"] * 3 + ["recipe"] * 8
    assert joined.rules == find_joint_space("recipe").rules


def test_spaces_that_cannot_be_joined() -> None:
    with pytest.raises(UserError, match="both describe networks"):
        find_joint_space("regnet+nb201")
    with pytest.raises(UserError, match="both decide"):
        find_joint_space("recipe+recipe")


def test_invalid_candidates(space) -> None:
    row = space.rows(np.zeros((1, len(space))))[0]
    with pytest.raises(UserError, match=r"small has no variable width; it has depth"):
        space.genes([{**row, "width": 3}])
    with pytest.raises(UserError, match="lacks depth"):
        space.genes([{name: row[name] for name in row if name != "depth"}])
    with pytest.raises(UserError, match="variable depth: 11 is not 10 to 16 by 2"):
        space.genes([{**row, "depth": 11}])
    with pytest.raises(UserError, match="variable depth"):
        space.genes([{**row, "depth": "deep"}])
