"""Derived networks: structure, auxiliary head, drop path and descriptions."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.models.derived import Network, default_stem
from darts.models.registry import create_network, network_from_description
from genotypes import list_genotypes, load_genotype

TINY: dict[str, Any] = {"channels": 4, "layers": 3, "num_classes": 5}


def tiny(model: str = "pcdarts_cifar10", seed: int = 0, **options: Any) -> Network:
    return create_network(
        model, generator=torch.Generator().manual_seed(seed), **{**TINY, **options}
    )


def images(size: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("model", "stem", "expected"),
    [
        ("pcdarts_cifar10", None, (36, 20, 10, "cifar", 32)),
        ("pcdarts_imagenet", None, (48, 14, 1000, "imagenet", 224)),
        ("pcdarts_imagenet", "cifar", (36, 20, 10, "cifar", 32)),
        ("pcdarts_cifar10", "imagenet", (48, 14, 1000, "imagenet", 224)),
    ],
)
def test_defaults(model: str, stem: str | None, expected: tuple[Any, ...]) -> None:
    with torch.device("meta"):
        network = create_network(model, stem=stem)
    names = ("channels", "layers", "num_classes", "stem")
    made = tuple(network.description[name] for name in names)
    assert (*made, network.resolution) == expected
    assert network.auxiliary_head is None


def test_genotypes_of_ones_own() -> None:
    own = load_genotype("pcdarts_cifar10").with_name("own")
    assert create_network(own, **TINY).description["genotype"]["name"] == "own"
    with pytest.raises(UserError, match="no model 'no_such_genotype'"):
        create_network("no_such_genotype")


def test_the_stem_of_the_search_decides() -> None:
    found = load_genotype("pcdarts_cifar10")
    folder = {"searched_on": "folder:photos"}
    assert default_stem(replace(found, provenance=folder)) == "cifar"
    assert default_stem(replace(found, provenance={**folder, "stem": "imagenet"})) == "imagenet"


@pytest.mark.parametrize(
    ("stem", "layers", "reductions", "features"),
    [("cifar", 20, (6, 13), 576), ("imagenet", 14, (4, 9), 768)],
)
def test_macro_structure(
    stem: str, layers: int, reductions: tuple[int, ...], features: int
) -> None:
    with torch.device("meta"):
        network = create_network("pcdarts_cifar10", stem=stem)
    first = network.description["channels"]
    widths = [cell.out_channels // 4 for cell in network.cells]
    assert len(widths) == layers
    assert widths == [first * 2 ** sum(r <= i for r in reductions) for i in range(layers)]
    assert network.auxiliary_layer == 2 * layers // 3
    assert network.classifier.in_features == features


@pytest.mark.parametrize("model", list_genotypes())
@pytest.mark.parametrize(("stem", "size"), [("cifar", 8), ("imagenet", 32)])
def test_every_published_genotype_runs(model: str, stem: str, size: int) -> None:
    logits, auxiliary = tiny(model, stem=stem).eval()(images(size))
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()
    assert auxiliary is None


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("stem", "divisor"), [("cifar", 1), ("imagenet", 8)])
def test_any_number_of_layers(layers: int, stem: str, divisor: int) -> None:
    network = tiny(layers=layers, stem=stem)
    assert network.image_multiple == divisor * (2 if layers == 1 else 4)
    logits, _ = network(images(2 * network.image_multiple))
    assert logits.shape == (2, 5)


@pytest.mark.parametrize(("stem", "size", "norms"), [("cifar", 32, 2), ("imagenet", 224, 1)])
def test_auxiliary_head(stem: str, size: int, norms: int) -> None:
    network = tiny(stem=stem, auxiliary=True)
    head = network.auxiliary_head
    assert head is not None
    assert sum(isinstance(part, nn.BatchNorm2d) for part in head.modules()) == norms
    logits, auxiliary = network(images(size))
    assert auxiliary is not None
    assert logits.shape == auxiliary.shape == (2, 5)
    (logits.sum() + auxiliary.sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(images(size))[1] is None


def test_auxiliary_head_takes_larger_images() -> None:
    _, auxiliary = tiny(auxiliary=True)(images(48))
    assert auxiliary is not None
    assert auxiliary.shape == (2, 5)


def test_images_too_small_for_the_auxiliary_head() -> None:
    network = tiny(auxiliary=True)
    with pytest.raises(UserError, match=r"at least 32x32 pixels, not 28x28.*or use larger"):
        network(images(28))
    assert network.eval()(images(28))[0].shape == (2, 5)


@pytest.mark.parametrize(
    ("stem", "size", "multiple"), [("cifar", 30, 4), ("imagenet", 48, 32), ("cifar", 9, 4)]
)
def test_image_sizes_that_do_not_halve(stem: str, size: int, multiple: int) -> None:
    with pytest.raises(UserError, match=f"multiples of {multiple}, .*{size}x{size} is not"):
        tiny(stem=stem)(images(size))


@pytest.mark.parametrize("name", ["channels", "layers", "num_classes"])
def test_sizes_are_positive(name: str) -> None:
    with pytest.raises(UserError, match=f"needs {name} of at least 1, not 0"):
        tiny(**{name: 0})


def test_unknown_stem() -> None:
    with pytest.raises(UserError, match="no stem 'mnist'"):
        tiny(stem="mnist")


def test_drop_path_is_reproducible_and_drops_nothing_at_test() -> None:
    network = tiny()
    batch = images(8, batch=8)

    def logits(probability: float, seed: int = 0) -> Tensor:
        out, _ = network(batch, probability, torch.Generator().manual_seed(seed))
        return out.detach()

    assert torch.equal(logits(0.5), logits(0.5))
    assert not torch.equal(logits(0.5), logits(0.5, seed=1))
    assert not torch.equal(logits(0.5), logits(0.0))
    network.eval()
    assert torch.equal(logits(0.5), logits(0.0))


def test_drop_path_needs_a_stream() -> None:
    network = tiny()
    with pytest.raises(ValueError, match="need a random generator"):
        network(images(8), 0.1)


def test_weights_come_from_the_generator() -> None:
    first, same, other = tiny(seed=0), tiny(seed=0), tiny(seed=1)
    assert all(map(torch.equal, first.parameters(), same.parameters()))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_description_rebuilds_the_network() -> None:
    network = tiny("amoebanet", auxiliary=True, stem="imagenet").eval()
    rebuilt = network_from_description(json.loads(json.dumps(network.description))).eval()
    assert rebuilt.description == network.description
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(images(32))[0], network(images(32))[0])


def test_channels_last_changes_nothing() -> None:
    network = tiny().double()
    batch = images(8).double()
    expected, _ = network(batch)
    network.to(memory_format=torch.channels_last)
    actual, _ = network(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
