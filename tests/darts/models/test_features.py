"""Networks as backbones: channels, strides and values of the feature maps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from darts.models.features import FeatureMaps, scales_of
from darts.models.registry import create_network
from darts.system.torchvision_compat import torchvision

SMALL = {"channels": 8, "layers": 5}


@pytest.mark.parametrize(
    ("model", "options", "channels", "strides"),
    [
        # 14 cells of C = 48: cells 4 and 9 reduce, a cell outputs 4C; the first map is the stem's.
        ("pcdarts_imagenet", {}, (48, 192, 384, 768), (4, 8, 16, 32)),
        ("pcdarts_cifar10", {}, (144, 288, 576), (1, 2, 4)),
        # Published stage widths.
        ("regnetx_200mf", {}, (24, 56, 152, 368), (4, 8, 16, 32)),
        ("resnet50", {}, (256, 512, 1024, 2048), (4, 8, 16, 32)),
        ("efficientnet_b0", {}, (24, 40, 112, 320), (4, 8, 16, 32)),
        ("regnetx_200mf", {"stem": "cifar"}, (24, 56, 152, 368), (1, 2, 4, 8)),
    ],
    ids=str,
)
def test_channels_and_strides(model, options, channels, strides) -> None:
    with torch.device("meta"):
        backbone = create_network(model, features_only=True, **options).eval()
        maps = backbone(torch.zeros(2, 3, 128, 160))
    assert backbone.feature_channels == channels
    assert backbone.feature_strides == strides
    assert list(maps) == [str(stride) for stride in strides]
    for features, width, stride in zip(maps.values(), channels, strides, strict=True):
        assert features.shape == (2, width, 128 // stride, 160 // stride)


@pytest.mark.parametrize("model", ["pcdarts_imagenet", "regnetx_200mf"])
def test_the_last_map_is_what_the_classifier_reads(model, generator) -> None:
    options = SMALL if model == "pcdarts_imagenet" else {}
    network = create_network(model, generator=generator, **options).eval()
    images = torch.randn(2, 3, 64, 64, generator=generator)
    with torch.no_grad():
        logits, _ = network(images)
        means = network.features(images)[-1].mean(dim=(2, 3))
        torch.testing.assert_close(network.classifier(means), logits)


def test_the_same_weights_as_the_classifier_and_none_to_spare() -> None:
    options = {**SMALL, "stem": "imagenet"}
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    whole = create_network("pcdarts_imagenet", generator=seeds[0], auxiliary=True, **options)
    backbone = create_network("pcdarts_imagenet", features_only=True, generator=seeds[1], **options)
    ours = backbone.network.state_dict()
    assert set(whole.state_dict()) - set(ours) == {
        name
        for name in whole.state_dict()
        if name.split(".")[0] in ("classifier", "auxiliary_head")
    }
    sum(features.sum() for features in backbone(torch.zeros(2, 3, 64, 64)).values()).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_no_parameter_of_a_mobile_backbone_is_idle() -> None:
    backbone = create_network("efficientnet_b0", features_only=True).train()
    sum(features.sum() for features in backbone(torch.zeros(2, 3, 64, 64)).values()).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_a_feature_pyramid_reads_the_maps() -> None:
    backbone = create_network("pcdarts_imagenet", features_only=True, **SMALL)
    pyramid = torchvision.ops.FeaturePyramidNetwork(list(backbone.feature_channels), 16)
    maps = pyramid(backbone(torch.zeros(1, 3, 96, 64)))
    assert [tuple(level.shape[1:]) for level in maps.values()] == [
        (16, 24, 16), (16, 12, 8), (16, 6, 4), (16, 3, 2),
    ]  # fmt: skip


def test_a_detector_trains_and_detects_on_it() -> None:
    backbone = create_network("pcdarts_imagenet", features_only=True, **SMALL)
    width = 16
    pyramid = torchvision.ops.FeaturePyramidNetwork(list(backbone.feature_channels), width)
    body = nn.Sequential(backbone, pyramid)
    body.out_channels = width
    anchors = torchvision.models.detection.anchor_utils.AnchorGenerator(
        ((8,), (16,), (32,), (64,)), ((1.0,),) * 4
    )
    detector = torchvision.models.detection.RetinaNet(
        body, 3, anchor_generator=anchors, min_size=64, max_size=64
    )
    images = [torch.rand(3, 64, 64), torch.rand(3, 64, 64)]
    box = {"boxes": torch.tensor([[8.0, 8.0, 40.0, 40.0]]), "labels": torch.tensor([1])}
    losses = detector(images, [box, box])
    sum(losses.values()).backward()
    assert backbone.network.stem.conv1.weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert set(detector.eval()(images)[0]) == {"boxes", "scores", "labels"}


def test_scales_of_stages() -> None:
    def stages(*pairs: tuple[int, int]) -> list[SimpleNamespace]:
        return [SimpleNamespace(width=width, stride=stride) for width, stride in pairs]

    mobile = scales_of(stages((16, 1), (24, 2), (40, 2), (80, 2), (112, 1), (192, 2), (320, 1)), 2)
    assert mobile.stages == (1, 2, 4, 6)
    assert mobile.strides == (4, 8, 16, 32)
    small = scales_of(stages((8, 1), (16, 2), (32, 2)), 1)
    assert (small.strides, small.channels) == ((1, 2, 4), (8, 16, 32))


def test_any_network_with_the_three_attributes_serves() -> None:
    class Mine(nn.Module):
        feature_channels, feature_strides = (4,), (1,)

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.head = nn.Linear(4, 2)

        def features(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (self.conv(images),)

    backbone = FeatureMaps(Mine())
    assert [name for name, _ in backbone.named_parameters()] == [
        "network.conv.weight",
        "network.conv.bias",
    ]
    assert backbone(torch.zeros(1, 3, 2, 2))["1"].shape == (1, 4, 2, 2)
