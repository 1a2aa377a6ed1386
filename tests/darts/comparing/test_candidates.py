"""The compared networks: of equal cost, reproducible, and an error if there are none."""

import pytest
import torch

from darts.comparing.candidates import ComparedNetwork, ImageSpec, baseline, contender
from darts.comparing.options import CompareOptions
from darts.costs.count import count
from darts.errors import UserError
from darts.models.registry import find_model
from genotypes import Genotype, load_genotype, random_genotype

SETTING = ImageSpec(stem="cifar", resolution=32, num_classes=10)
GENOTYPE = load_genotype("pcdarts_cifar10")


def options(**settings) -> CompareOptions:
    return CompareOptions(**{"channels": 8, "layers": 3, "population": 3, **settings})


@pytest.fixture(scope="module")
def judged() -> ComparedNetwork:
    return contender(options(), "cell", GENOTYPE, SETTING)


def test_the_genotype_keeps_its_size(judged: ComparedNetwork) -> None:
    assert (judged.channels, judged.layers) == (8, 3)
    cost = count(judged.network(SETTING), 32)
    assert judged.properties == {
        "params": cost.params,
        "macs": cost.macs,
        "activations": cost.activations,
    }


def test_the_genotype_scaled() -> None:
    scaled = contender(options(macs=40e6), "cell", GENOTYPE, SETTING)
    wider = contender(options(channels=scaled.channels + 2), "cell", GENOTYPE, SETTING)
    narrower = contender(options(channels=scaled.channels - 2), "cell", GENOTYPE, SETTING)
    assert narrower.properties["macs"] < 40e6 < wider.properties["macs"]
    gaps = [abs(one.properties["macs"] - 40e6) for one in (narrower, scaled, wider)]
    assert min(gaps) == gaps[1]
    with pytest.raises(UserError, match="--macs scales only networks of genotypes"):
        contender(options(macs=40e6), "net", find_model("regnetx_200mf"), SETTING)


@pytest.mark.parametrize("name", ["regnetx", "regnety", "anynetx_a", "random-cells"])
def test_baselines_cost_what_the_genotype_costs(name: str, judged: ComparedNetwork) -> None:
    found = baseline(name, options(), judged, SETTING)
    assert found.notes == ()
    assert len({one.label for one in found.candidates}) == 3
    macs = judged.properties["macs"]
    for one in found.candidates:
        assert abs(one.properties["macs"] / macs - 1) <= 0.05
        assert one.layers == (3 if name == "random-cells" else None)
    with torch.device("meta"):
        cost = count(one.network(SETTING), 32)
    assert (cost.params, cost.macs) == (one.properties["params"], one.properties["macs"])
    assert cost.activations == one.properties["activations"]
    assert baseline(name, options(), judged, SETTING) == found
    # A larger population begins with the same networks.
    more = baseline(name, options(population=5), judged, SETTING)
    assert more.candidates[:3] == found.candidates
    other = baseline(name, options(seed=1), judged, SETTING)
    assert other.candidates[0].model != found.candidates[0].model


@pytest.mark.parametrize("name", ["nb201-9930", "s1"])
def test_random_cells_come_from_the_space_of_the_cell(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    genotype = load_genotype(name) if name != "s1" else random_genotype(4, generator, "cell", name)
    one = contender(options(), "cell", genotype, SETTING)
    found = baseline("random-cells", options(tolerance=0.2), one, SETTING)
    for candidate in found.candidates:
        assert isinstance(candidate.model, Genotype)
        assert candidate.model.space == genotype.space
        assert candidate.properties["macs"] == count(candidate.network(SETTING), 32).macs
        assert abs(candidate.properties["macs"] / one.properties["macs"] - 1) <= 0.2


def test_random_cells_where_few_fit(judged: ComparedNetwork) -> None:
    found = baseline("random-cells", options(tolerance=1e-4), judged, SETTING)
    assert len(found.candidates) == 3
    assert "of 60 genotypes can be scaled to within 0%" in found.notes[0]


def test_refusals(judged: ComparedNetwork) -> None:
    with pytest.raises(UserError, match="There is no design space 'regnetz'"):
        baseline("regnetz", options(), judged, SETTING)
    with pytest.raises(UserError, match="--macs: a number such as 600M"):
        contender(options(macs="much"), "cell", GENOTYPE, SETTING)
    network = contender(options(), "net", find_model("regnetx_200mf").for_small_images(), SETTING)
    with pytest.raises(UserError, match="random-cells compares cells"):
        baseline("random-cells", options(), network, SETTING)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"baseline": " "}, "--baseline names no population"),
        ({"population": 1}, "--population must be a whole number of at least 2"),
        ({"seeds": 0}, "--seeds must be a whole number of at least 1"),
        ({"tolerance": 5.0}, "--tolerance must be between"),
        ({"latency_batch": -1}, "--latency-batch"),
    ],
)
def test_options_that_make_no_comparison(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        options(**wrong).check()


def test_baselines_are_words() -> None:
    assert options(baseline="regnetx, random-cells regnetx").baselines == (
        "regnetx",
        "random-cells",
    )


def test_a_space_without_such_networks(
    judged: ComparedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darts.comparing.candidates._SPACE_DRAWS", 4096)
    with pytest.raises(UserError, match=r"regnetx: Of 4,096 sampled networks.*--stem-width"):
        baseline("regnetx", options(stem_width=512), judged, SETTING)
