"""The AnyNet module: shapes, weights, drop path, and torchvision's network with equal weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, Stage
from darts.models.anynet.network import AnyNet
from darts.models.anynet.zoo import RESNETS
from darts.system.torchvision_compat import torchvision


def config(**options: Any) -> AnyNetConfig:
    stages = (
        Stage(depth=1, width=8, group_width=4),
        Stage(depth=2, width=16, group_width=4, bottleneck=2),
    )
    return AnyNetConfig(**{"stages": stages, "stem_width": 6, **options})


def net(seed: int = 0, classes: int = 5, **options: Any) -> AnyNet:
    generator = torch.Generator().manual_seed(seed)
    return AnyNet(config(**options), num_classes=classes, generator=generator)


def images(size: int, batch: int = 3) -> Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("block", ["x", "r", "v", "vr"])
@pytest.mark.parametrize("stem", ["simple", "resnet", "cifar"])
def test_logits_of_every_block_and_stem(block: str, stem: str) -> None:
    model = net(block=block, stem=stem)
    for size in (16, 19):
        logits, auxiliary = model(images(size))
        assert logits.shape == (3, 5)
        assert auxiliary is None
        assert logits.isfinite().all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("se_ratio", [None, 0.25])
def test_same_numbers_as_torchvision(se_ratio: float | None) -> None:
    block_params = torchvision.models.regnet.BlockParams(
        depths=[1, 2], widths=[8, 24], group_widths=[4, 8],
        bottleneck_multipliers=[1.0, 1.0], strides=[2, 2], se_ratio=se_ratio,
    )  # fmt: skip
    theirs = torchvision.models.RegNet(block_params, num_classes=5, stem_width=8).double()
    stages = (
        Stage(depth=1, width=8, group_width=4, se_ratio=se_ratio or 0.0),
        Stage(depth=2, width=24, group_width=8, se_ratio=se_ratio or 0.0),
    )
    ours = AnyNet(AnyNetConfig(stages=stages, stem_width=8), num_classes=5).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.3, 0.3, generator=generator)
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(state))
    x = images(21).double()
    torch.testing.assert_close(ours(x)[0], theirs(x), rtol=1e-11, atol=1e-11)


def test_resnet_stem_as_in_torchvision() -> None:
    ours = AnyNet(RESNETS["resnet50"], num_classes=2).stem.double()
    theirs = torchvision.models.resnet18().double()
    conv, norm = theirs.conv1, theirs.bn1
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    state = (*conv.state_dict().values(), *norm.state_dict().values())
    ours.load_state_dict(dict(zip(ours.state_dict(), state, strict=True)))
    x = images(18).double()
    expected = theirs.maxpool(theirs.relu(norm(conv(x))))
    torch.testing.assert_close(ours(x), expected)


def test_weights_come_from_the_generator_alone() -> None:
    # The global stream advances between the first and the second network.
    first, second, third = net(0), net(0), net(1)
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.classifier.weight, third.classifier.weight)


def test_initial_scale() -> None:
    model = AnyNet(config(), num_classes=400, generator=torch.Generator().manual_seed(0))
    spatial = model.stages[1][0].spatial.conv
    assert spatial.groups == 2
    # 9 · 8 outputs, although each group has only 4: sqrt(2 / 72).
    assert spatial.weight.std().item() == pytest.approx(0.1667, rel=0.15)
    assert model.classifier.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not model.classifier.bias.any()
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    assert all(
        (norm.weight == 1).all() for norm in norms
    )  # including the last batch norm of each block
    assert all((norm.eps, norm.momentum) == (1e-5, 0.1) for norm in norms)


def test_dropping() -> None:
    model, x = net(), images(16)
    plain = model(x)[0]
    assert torch.equal(model(x, 0.0)[0], plain)
    draws = [model(x, 0.5, torch.Generator().manual_seed(s))[0] for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    with pytest.raises(ValueError, match="generator"):
        model(x, 0.5)
    model.eval()
    assert torch.equal(model(x, 0.5)[0], model(x)[0])


def test_images_too_small() -> None:
    with pytest.raises(UserError, match="at least 8x8"):
        net()(images(7))


def test_needs_classes() -> None:
    with pytest.raises(UserError, match="num_classes"):
        AnyNet(config(), num_classes=0)


def test_own_resolution() -> None:
    assert net().resolution == net(stem="resnet").resolution == 224
    assert net(stem="cifar").resolution == 32


def test_stochastic_depth_grows_linearly_with_depth() -> None:
    """Block i of n is dropped with i/n of the given probability."""
    network = net().train()
    seen: list[float] = []
    for stage in network.stages:
        for block in stage:
            block.forward = lambda x, probability, generator, block=block: (
                seen.append(probability) or type(block).forward(block, x)
            )
    network(torch.zeros(2, 3, 32, 32), 0.6, torch.Generator())
    assert seen == pytest.approx([0.0, 0.2, 0.4])
