"""Checkpoints of the code of DARTS and PC-DARTS in derived networks of this toolkit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from darts.errors import UserError
from darts.models.registry import create_network
from darts.models.weights.foreign import read_foreign
from darts.training.pretrained import load_pretrained, load_weights
from genotypes import load_genotype
from tests.darts.models.weights.test_foreign import randomised
from tests.reference.authors_network import AuthorsNetwork

CASES = [
    ("pcdarts_cifar10", "cifar", 4, 32, 64),
    ("darts_v1", "imagenet", 4, 64, 128),
    ("amoebanet", "cifar", 3, 16, 64),
]


@pytest.mark.parametrize(("name", "stem", "layers", "size", "large"), CASES)
def test_equal_logits_of_both_classifiers(
    name: str, stem: str, layers: int, size: int, large: int, tmp_path: Path
) -> None:
    genotype = load_genotype(name)
    theirs = randomised(AuthorsNetwork(genotype, 4, layers, 5, stem, auxiliary=True))
    theirs.auxiliary = False
    file = tmp_path / "weights.pt"
    # Their ImageNet checkpoints come from DataParallel, inside a dictionary.
    state = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state} if stem == "imagenet" else state, file)
    sizes = read_foreign(file).cell_sizes()
    assert sizes == {"channels": 4, "layers": layers, "stem": stem}
    ours = create_network(genotype, num_classes=5, auxiliary=True, **sizes).double().eval()
    assert load_pretrained(ours, file) == ()
    images = torch.randn(2, 3, size, size, dtype=torch.float64)
    with torch.no_grad():
        assert (ours(images)[0] - theirs(images)[0]).abs().max() < 1e-9
        features = torch.randn(1, *_head_input(theirs), dtype=torch.float64)
        expected = theirs.auxiliary_head(features)
        assert (ours.auxiliary_head(features) - expected).abs().max() < 1e-9


def _head_input(network: AuthorsNetwork) -> tuple[int, int, int]:
    side = 7 if network.imagenet else 8
    return network.auxiliary_head.features[2].in_channels, side, side


def test_the_genotype_must_be_the_one_of_the_weights(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    genotype = load_genotype("darts_v2")
    torch.save(AuthorsNetwork(genotype, 4, 3, 5, "cifar", True).state_dict(), file)
    with pytest.raises(UserError, match="say which cells: --genotype"):
        read_foreign(file).config()
    other = create_network("darts_v1", num_classes=5, channels=4, layers=3, stem="cifar")
    with pytest.raises(UserError, match=r"cells\.\d\.operations.*more differences"):
        load_pretrained(other, file)
    ours = create_network(genotype, num_classes=3, channels=4, layers=3, stem="cifar")
    origin = load_weights(ours, file, None, None)
    assert origin.left == ("classifier.weight", "classifier.bias")
    heads = {name.split(".")[0] for name in origin.unused}
    assert heads == {"classifier", "auxiliary_head"}
