import gzip
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from darts.costs.count import count
from darts.errors import UserError
from darts.joint.costs import Limits
from darts.joint.networks.nb201 import nb201_genotype
from darts.joint.networks.setting import NetworkSetting
from darts.joint.problem import Problem
from darts.joint.sampling import quasi_random
from darts.joint.space_file import find_joint_space, parse_space
from darts.models.registry import create_network, find_model
from genotypes import load_genotype
from genotypes.nasbench201 import arch_string
from tests.darts.joint.small import DESCRIBED


def test_nb201_costs_are_the_published_ones(cells) -> None:
    """Only 3x3 convolutions: 220.12 M multiply-adds and 1.531546 M parameters, as published."""
    names = [variable.name for variable in cells.space.variables]
    rows = [dict.fromkeys(names, name) for name in ("nor_conv_3x3", "none")]
    costs = cells.costs(cells.space.genes(rows))
    assert costs.params.tolist() == [1_531_546, 73_306]
    assert costs.macs.tolist() == [220_119_680, 7_783_040]


@pytest.mark.parametrize(("channels", "layers", "size"), [(None, None, 32), (8, 6, 16)])
def test_nb201_cells_cost_what_the_modules_do(
    channels: int | None, layers: int | None, size: int
) -> None:
    setting = NetworkSetting(num_classes=10, stem="cifar", channels=channels, layers=layers)
    problem = Problem(find_joint_space("nb201"), replace(setting, resolution=size))
    genes = next(quasi_random(problem.space, 0))[:3]
    costs = problem.costs(genes)
    for number in range(3):
        candidate = problem.candidate(genes[number])
        sizes = {name: candidate.options[name] for name in ("channels", "layers")}
        with torch.device("meta"):
            counted = count(create_network(candidate.model, num_classes=10, **sizes), size)
        assert (costs.macs[number], costs.params[number]) == (counted.macs, counted.params)


def test_nb201_architecture_strings_are_in_the_table(cells, shared: Path) -> None:
    rows = cells.space.rows(next(quasi_random(cells.space, 0)))
    table = gzip.decompress((shared / "data" / "nb201_cifar10.csv.gz").read_bytes()).decode()
    known = {line.split(",")[0] for line in table.splitlines()[1:]}
    assert {arch_string(nb201_genotype(row)) for row in rows} <= known


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_cells_cost_what_the_modules_do(stem: str) -> None:
    resolution, classes = (32, 10) if stem == "cifar" else (224, 1000)
    setting = NetworkSetting(resolution=resolution, num_classes=classes, stem=stem)
    names = ("pcdarts_imagenet", "nasnet", "amoebanet")  # Every kind of operation.
    described = {
        "name": "cells",
        "network": "cells",
        "architecture": {
            "genotype": {"choice": list(names)},
            "channels": {"integer": [16, 36], "step": 4},
            "layers": {"integer": [5, 9]},
        },
    }
    problem = Problem(parse_space(described), setting)
    sizes = [(16, 5), (36, 6), (20, 8)]
    rows = [
        {"genotype": name, "channels": sizes[i % 3][0], "layers": sizes[i % 3][1]}
        for i, name in enumerate(names)
    ]
    costs = problem.costs(problem.space.genes(rows))
    for row, macs, params in zip(rows, costs.macs, costs.params, strict=True):
        with torch.device("meta"):
            network = create_network(row["genotype"], num_classes=classes, stem=stem, **_sizes(row))
        counted = count(network, resolution)
        assert (macs, params) == (counted.macs, counted.params), row


def _sizes(row: dict) -> dict:
    return {"channels": row["channels"], "layers": row["layers"]}


def test_impossible_cells_have_infinite_costs() -> None:
    setting = NetworkSetting(
        resolution=30, num_classes=10, stem="cifar", model=load_genotype("darts_v2")
    )
    problem = Problem(find_joint_space("darts-cell"), setting)
    costs = problem.costs(
        problem.space.genes([{"channels": 16, "layers": 8, "auxiliary_weight": 0.4}])
    )
    assert np.isinf(costs.macs).all()  # 30 is not divisible by 4.
    assert not Limits().admit(costs).any()


def test_regnets_cost_what_the_models_do(uniform) -> None:
    setting = NetworkSetting(resolution=32, num_classes=10, stem="cifar")
    problem = Problem(parse_space(DESCRIBED), setting)
    genes, costs = problem.pool(6, Limits(), 0)
    for row, macs, params in zip(genes, costs.macs, costs.params, strict=True):
        config = problem.candidate(row).model
        with torch.device("meta"):
            network = create_network(config, num_classes=10, stem="cifar")
        counted = count(network, 32)
        assert (macs, params) == (counted.macs, counted.params)
        assert len(config.stages) == 4
    everything = problem.space.draw(uniform(2000, len(problem.space)))
    exists = np.isfinite(problem.costs(everything).macs)
    assert 0 < exists.sum() < 2000  # Three or five stages are excluded.


def test_fbnetv3_has_the_published_counts(shared: Path) -> None:
    """D and G have regular padding in all layers, as have A and B in timm."""
    facts = json.loads((shared / "facts" / "fbnetv3.json").read_text())
    networks = facts["architectures"]
    setting = NetworkSetting()
    space = find_joint_space("fbnetv3-wide")
    network = Problem(space, setting).network
    for name, macs in (
        ("A", facts["timm"]["timm.fbnetv3_b@224"]["macs"]),
        ("B", facts["timm"]["timm.fbnetv3_b@248"]["macs"]),
        ("D", networks["FBNetV3_D"]["macs"]),
        ("G", networks["FBNetV3_G"]["macs"]),
    ):
        published = networks[f"FBNetV3_{name}"]
        columns = {key: np.array([value]) for key, value in _values(published["rows"]).items()}
        costs = network.costs(columns, np.array([published["resolution"]]))
        assert (costs.macs[0], costs.params[0]) == (macs, published["params"]), name


@pytest.mark.parametrize("name", ["fbnetv3", "fbnetv3-wide"])
def test_fbnetv3_b_to_e_belong_to_their_spaces(name: str, shared: Path) -> None:
    networks = json.loads((shared / "facts" / "fbnetv3.json").read_text())["architectures"]
    space = find_joint_space(name)
    for letter in "BCDE":
        space.genes([_values(networks[f"FBNetV3_{letter}"]["rows"])])
    with pytest.raises(UserError):  # G was scaled up, not searched.
        space.genes([_values(networks["FBNetV3_G"]["rows"])])


def _values(rows: list[dict]) -> dict[str, float]:
    """The settings of the space for the layers of a published network."""
    values = {"stem.width": rows[0]["c"], "pool.expansion": int(rows[-1]["e"])}
    stages: list[list[dict]] = []
    for row in rows[1:-1]:
        begins = row["stage"] == 5 and row is rows[-2]
        if not stages or begins or row["stride"] == 2 or row["c"] != stages[-1][-1]["c"]:
            stages.append([])
        stages[-1].append(row)
    for number, stage in enumerate(stages, 1):
        first, last = stage[0], stage[-1]
        values |= {
            f"stage{number}.width": first["c"],
            f"stage{number}.depth": sum(row["n"] for row in stage),
            f"stage{number}.kernel_first": first["k"],
            f"stage{number}.kernel": last["k"],
            f"stage{number}.expansion_first": first["e"],
            f"stage{number}.expansion": last["e"],
        }
    return values


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_fbnetv3s_cost_what_the_modules_do(stem: str) -> None:
    resolution, classes = (32, 10) if stem == "cifar" else (224, 1000)
    setting = NetworkSetting(resolution=resolution, num_classes=classes, stem=stem)
    problem = Problem(find_joint_space("fbnetv3-wide"), setting)
    genes, costs = problem.pool(2, Limits(), 0)
    for row, macs, params in zip(genes, costs.macs, costs.params, strict=True):
        config = problem.candidate(row).model
        with torch.device("meta"):
            network = create_network(config, num_classes=classes)
        counted = count(network, resolution)
        assert (macs, params) == (counted.macs, counted.params)


def test_fbnetv3_d_is_a_candidate(shared: Path) -> None:
    networks = json.loads((shared / "facts" / "fbnetv3.json").read_text())["architectures"]
    problem = Problem(find_joint_space("fbnetv3"), NetworkSetting())
    genes = problem.space.genes([_values(networks["FBNetV3_D"]["rows"])])
    found, known = problem.candidate(genes[0]).model, find_model("fbnetv3_d")
    with torch.device("meta"):
        networks = [create_network(config) for config in (found, known)]
    one, other = ([value.shape for value in network.parameters()] for network in networks)
    assert one == other


def test_a_fixed_network_costs_by_image_size() -> None:
    space = find_joint_space("recipe")
    problem = Problem(space, NetworkSetting(model=find_model("regnetx_200mf")))
    genes = np.zeros((2, len(space)))
    genes[1, 0] = 4  # 256 pixels
    costs = problem.costs(genes)
    with torch.device("meta"):
        network = create_network("regnetx_200mf")
    assert costs.macs.tolist() == [count(network, 224).macs, count(network, 256).macs]
    assert problem.candidate(genes[0]).model == find_model("regnetx_200mf")


def test_a_pool_of_twenty_thousand_takes_seconds() -> None:
    problem = Problem(find_joint_space("fbnetv3-wide+recipe"), NetworkSetting())
    limits = Limits(min_macs=4e8, max_macs=8e8, max_params=10e6)
    begun = time.perf_counter()
    genes, costs = problem.pool(20_000, limits, seed=0)
    assert time.perf_counter() - begun < 20  # It takes about 1 s; the machine may be busy.
    assert len(genes) == len(costs) == 20_000
    assert limits.admit(costs).all()
    assert (problem.pool(100, limits, seed=0)[0] == genes[:100]).all()


def test_invalid_problems() -> None:
    with pytest.raises(UserError, match="there are no networks 'vit'"):
        Problem(parse_space({**DESCRIBED, "network": "vit"}), NetworkSetting())
    with pytest.raises(UserError, match="need depth, w0"):
        Problem(parse_space({"name": "n", "network": "regnet"}), NetworkSetting())
    with pytest.raises(UserError, match="have no setting depth"):
        Problem(parse_space({**DESCRIBED, "network": "cells"}), NetworkSetting())
    with pytest.raises(UserError, match="give --model or --genotype"):
        Problem(find_joint_space("recipe"), NetworkSetting())
    problem = Problem(find_joint_space("darts-cell"), NetworkSetting(stem="cifar", resolution=32))
    with pytest.raises(UserError, match="give --genotype"):
        problem.costs(np.zeros((1, 3)))
    with pytest.raises(UserError, match="--layers 8: 8 cells cannot be divided into 3"):
        Problem(find_joint_space("nb201"), NetworkSetting(layers=8))


def test_limits_that_no_candidate_fulfils(monkeypatch) -> None:
    monkeypatch.setattr("darts.joint.problem._MOST_DRAWS", 10_000)
    problem = Problem(find_joint_space("nb201"), NetworkSetting())
    message = "none of 10,000 sampled candidates has at least 1 multiply-adds and at most 2 mul"
    with pytest.raises(UserError, match=message):
        problem.pool(1, Limits(min_macs=1, max_macs=2), 0)
