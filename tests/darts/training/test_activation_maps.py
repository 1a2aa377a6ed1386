"""Class activation maps: the published formula, and a picture from the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from darts.cli import main
from darts.data.channels import Rgb
from darts.models.registry import create_network
from darts.training.activation_maps import ActivationMap, class_activation, draw_maps

MEAN: Rgb = (0.5, 0.5, 0.5)


def network_of(name: str, **options: object) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    network = create_network(name, num_classes=5, generator=generator, **options)  # type: ignore[call-overload]
    return network.double().eval()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pcdarts_cifar10", {"channels": 4, "layers": 3}),
        ("nb201-1462", {"channels": 4, "layers": 3}),
        ("regnetx_200mf", {"stem": "cifar"}),
        ("resnet18", {"stem": "cifar"}),
        ("mobilenet_v2", {"stem": "cifar"}),
    ],
)
def test_with_a_linear_classifier_it_is_the_map_of_zhou(name: str, options: dict) -> None:
    network = network_of(name, **options)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator())
    labels = torch.tensor([3, 1])
    kept = []
    handle = network.averaged.register_forward_hook(lambda *x: kept.append(x[-1]))
    with torch.no_grad():
        logits = network(images)[0]
    handle.remove()
    maps, weight, bias = kept[0], network.classifier.weight, network.classifier.bias
    theirs = torch.einsum("bc,bchw->bhw", weight[labels], maps)
    # The mean of the map and the bias are the logit.
    found = theirs.mean(dim=(1, 2)) + bias[labels]
    torch.testing.assert_close(found, logits.gather(1, labels[:, None])[:, 0])
    ours = class_activation(network, images, labels)
    torch.testing.assert_close(ours * maps[0, 0].numel(), theirs.detach())


def test_with_a_layer_behind_the_mean_it_is_the_gradient() -> None:
    network = network_of("fbnetv3_a0", stem="cifar")
    images = torch.randn(1, 3, 32, 32, dtype=torch.float64, generator=torch.Generator())
    found = class_activation(network, images.clone(), torch.tensor([2]))
    kept = []
    handle = network.averaged.register_forward_hook(lambda *x: kept.append(x[-1]))
    with torch.no_grad():
        network(images)
    handle.remove()
    means = kept[0].mean(dim=(2, 3), keepdim=True).requires_grad_(True)
    head = network.head
    logit = network.classifier(head.activation(head.conv(means)).flatten(1))[0, 2]
    (slope,) = torch.autograd.grad(logit, means)
    expected = (slope / kept[0][0, 0].numel() * kept[0]).sum(1)
    torch.testing.assert_close(found, expected.detach())


def test_parameters_get_no_gradient() -> None:
    network = network_of("regnetx_200mf", stem="cifar")
    class_activation(network, torch.zeros(1, 3, 32, 32, dtype=torch.float64), torch.tensor([0]))
    assert all(one.grad is None for one in network.parameters())
    assert not network.averaged._forward_hooks


def test_the_sheet_has_all_images() -> None:
    blank = np.full((8, 8, 3), 200, np.uint8)
    maps = [ActivationMap("a", "cat", 0.5, blank, np.eye(8)) for _ in range(3)]
    one, three = draw_maps(maps[:1]), draw_maps(maps)
    assert three.width > one.width
    assert three.height > one.height
    assert one.getpixel((10 + 100, 10 + 100)) == (200, 200, 200)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cam")
    line = (
        "evaluate --dataset digits --preset smoke --genotype darts_v1 --epochs 1 --channels 4 "
        f"--layers 3 --train-images 40 --test-images 10 --batch-size 20 --run-dir {folder}/run"
    )
    assert main(line.split()) == 0
    Image.new("RGB", (20, 30), "navy").save(folder / "one.png")
    Image.new("RGBA", (9, 9)).save(folder / "two.png")
    return folder


def test_the_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = run / "maps.png"
    words = [str(run / "run"), str(run / "one.png"), str(run / "two.png"), "-o", str(output)]
    assert main(["cam", *words]) == 0
    with Image.open(output) as picture:
        assert picture.size == (2 * 500 + 10, 272 + 10)
    before = output.read_bytes()
    assert main(["cam", *words, "--class", "7"]) == 0
    assert output.read_bytes() != before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--class", "cat"], "--class cat: there is no such class; there are 0, 1, 2"),
        (["-o", "maps.pdf"], "-o maps.pdf: give a file that ends in .png or .jpg."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run, words, said, capsys) -> None:
    assert main(["cam", str(run / "run"), str(run / "one.png"), *words]) == 2
    assert said in capsys.readouterr().err
