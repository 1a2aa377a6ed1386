"""Heads on a pyramid, compared with torchvision's whole RetinaNet and Faster R-CNN."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from darts import create_network
from darts.detection.faster_rcnn import FasterRCNNDetector, SeededSampler
from darts.detection.heads import create_detector, detector_from_description
from darts.detection.matching import Targets
from darts.detection.pyramid import PyramidDetector, target_list
from darts.detection.retinanet import RetinaNetDetector
from darts.system.torchvision_compat import torchvision
from tests.darts.detection.support import tiny_model
from tests.darts.runs_support import assert_same

SIZE, CHANNELS = 64, 16
models = torchvision.models.detection


class SameMaps(nn.Module):
    """The maps of a detector as the backbone of one of torchvision's models."""

    out_channels = CHANNELS

    def __init__(self, detector: PyramidDetector) -> None:
        super().__init__()
        self.maps = detector.maps

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        return self.maps(images)


class Untouched(nn.Module):
    """Images and boxes as they are, instead of torchvision's normalising and resizing."""

    def forward(self, images: list[Tensor], targets: Any = None) -> tuple[Any, Any]:
        sizes = [(SIZE, SIZE)] * len(images)
        return models.image_list.ImageList(torch.stack(images), sizes), targets

    def postprocess(self, found: Any, *sizes: Any) -> Any:
        return found


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Any]:
    """A detector in float64 with weights that give all kinds of scores."""

    def made(head: Any, seed: int = 0) -> Any:
        generator = torch.Generator().manual_seed(seed)
        backbone = create_network(tiny_model(tmp_path), features_only=True, generator=generator)
        detector = create_detector(
            backbone,
            num_classes=3,
            image_size=SIZE,
            head=head,
            pyramid_channels=CHANNELS,
            generator=generator,
        )
        return detector.double()

    return made


@pytest.fixture
def batch() -> tuple[Tensor, Targets]:
    """Four images, one of them without objects."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(4, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
    corners = torch.rand(4, 3, 2, generator=generator, dtype=torch.float64) * 30
    sides = 8 + torch.rand(4, 3, 2, generator=generator, dtype=torch.float64) * 20
    labels = torch.randint(1, 4, (4, 3), generator=generator)
    labels[1, 2:], labels[3] = 0, 0
    return images, Targets(torch.cat([corners, corners + sides], dim=2), labels)


def roughened(module: nn.Module) -> None:
    """Heads begin with nearly equal scores: other weights make them differ."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for value in module.parameters():
            noise = torch.randn(value.shape, generator=generator, dtype=torch.float64)
            value.add_(0.2 * noise / value[0].numel() ** 0.5)


def theirs(detector: Any) -> Any:
    """torchvision's whole model with the weights of a detector."""
    found: Any
    if isinstance(detector, RetinaNetDetector):
        found = models.RetinaNet(
            SameMaps(detector),
            4,
            anchor_generator=detector.net.anchor_generator,
            detections_per_img=100,
        )
        found.double().head.load_state_dict(detector.net.head.state_dict())
    else:
        names = list(map(str, detector.strides))
        found = models.FasterRCNN(
            SameMaps(detector),
            rpn_anchor_generator=detector.rpn.anchor_generator,
            box_roi_pool=torchvision.ops.MultiScaleRoIAlign(names, 7, 2),
            box_head=models.faster_rcnn.TwoMLPHead(CHANNELS * 49, 4 * CHANNELS),
            box_predictor=models.faster_rcnn.FastRCNNPredictor(4 * CHANNELS, 4),
        )
        found.double().rpn.load_state_dict(detector.rpn.state_dict())
        found.roi_heads.load_state_dict(detector.roi_heads.state_dict())
        # The rule of theirs, with our random numbers.
        found.rpn.fg_bg_sampler = seeded(detector.rpn.fg_bg_sampler)
        found.roi_heads.fg_bg_sampler = seeded(detector.roi_heads.fg_bg_sampler)
    found.transform = Untouched()
    return found


def seeded(sampler: SeededSampler) -> SeededSampler:
    same = SeededSampler(sampler.count, sampler.share, sampler.name)
    same.seed = 5
    return same


NAMES = {
    "retinanet": {"box_loss": "bbox_regression", "class_loss": "classification"},
    "faster-rcnn": {
        "object_loss": "loss_objectness",
        "proposal_loss": "loss_rpn_box_reg",
        "class_loss": "loss_classifier",
        "box_loss": "loss_box_reg",
    },
}


@pytest.mark.parametrize("head", NAMES)
def test_losses_and_detections_equal_torchvisions(
    head: str, make: Any, batch: tuple[Tensor, Targets]
) -> None:
    images, targets = batch
    detector = make(head)
    roughened(detector.net.head if head == "retinanet" else detector.roi_heads)
    other = theirs(detector)
    detector.eval()  # Batch norms; only the heads are trained here.
    heads = [detector.net] if head == "retinanet" else [detector.rpn, detector.roi_heads]
    for module in heads:
        module.train()
    other.train()
    ours = detector.losses(images, targets, seed=5)
    expected = other(list(images), target_list(targets))
    assert set(ours) == set(NAMES[head])
    for name, their_name in NAMES[head].items():
        assert ours[name].item() > 0
        torch.testing.assert_close(ours[name], expected[their_name], rtol=1e-12, atol=0)
    ends = list(detector.pyramid.parameters())
    for one, two in zip(
        torch.autograd.grad(sum(ours.values()), ends),
        torch.autograd.grad(sum(expected.values()), ends),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)
    detector.eval()
    other.eval()
    place = other if head == "retinanet" else other.roi_heads
    least = 0.011 if head == "retinanet" else 0.1  # Scores begin at 0.01 and at 1/4.
    place.score_thresh, place.nms_thresh = least, 0.4
    found = detector.detect(images, score_threshold=least, nms_threshold=0.4)
    with torch.no_grad():
        wanted = other(list(images))
    assert sum(len(one.labels) for one in found) > 4
    for one, two in zip(found, wanted, strict=True):
        assert one.labels.equal(two["labels"])
        torch.testing.assert_close(one.boxes, two["boxes"].float())
        torch.testing.assert_close(one.scores, two["scores"].float())


@pytest.mark.parametrize(
    ("head", "build", "stride"),
    [("retinanet", "retinanet_resnet50_fpn", 8), ("faster-rcnn", "fasterrcnn_resnet50_fpn", 4)],
)
def test_sizes_are_torchvisions(head: Any, build: str, stride: int) -> None:
    with torch.device("meta"):
        backbone = create_network("resnet50", features_only=True)
        ours = create_detector(
            backbone, num_classes=90, image_size=320, head=head, finest_stride=stride
        )
        made = getattr(models, build)(weights=None, weights_backbone=None, num_classes=91)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in made.parameters())
    generator = ours.net.anchor_generator if head == "retinanet" else ours.rpn.anchor_generator
    other = made.anchor_generator if head == "retinanet" else made.rpn.anchor_generator
    assert [list(one) for one in generator.sizes] == [list(one) for one in other.sizes]
    for one, two in zip(generator.cell_anchors, other.cell_anchors, strict=True):
        assert one.equal(two)


@pytest.mark.parametrize("head", NAMES)
def test_weights_come_from_the_generator_alone(head: str, make: Any) -> None:
    torch.manual_seed(0)
    first = make(head, 5)
    torch.manual_seed(1)
    assert_same(dict(first.state_dict()), dict(make(head, 5).state_dict()))
    other = make(head, 6).state_dict()
    name = next(name for name in other if "pyramid.inner" in name and name.endswith("weight"))
    assert not other[name].equal(first.state_dict()[name])
    again = detector_from_description(first.description)
    again.double().load_state_dict(first.state_dict())
    images = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64)
    (one,), (two,) = (each.eval().detect(images, score_threshold=0.0) for each in (first, again))
    assert one.boxes.equal(two.boxes)


def test_samples_keep_torchvisions_rule() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = [torch.randint(-1, 2, (size,), generator=generator) for size in (5, 40, 400, 4000)]
    sampler = SeededSampler(64, 0.25, "proposals")
    rule = models._utils.BalancedPositiveNegativeSampler(64, 0.25)
    ours, others = sampler(labels), rule(labels)
    for number, kind in enumerate((1, 0)):
        for mask, other, label in zip(ours[number], others[number], labels, strict=True):
            assert mask.sum() == other.sum()
            assert (label[mask.bool()] == kind).all()
    assert sampler.drawn == sum(int(mask.sum()) for part in ours for mask in part)
    # An image's sample depends on the seed and on its place in the whole batch alone.
    part = SeededSampler(64, 0.25, "proposals")
    part.first = 2
    assert all(one.equal(two) for one, two in zip(part(labels[2:])[0], ours[0][2:], strict=True))
    part.seed = 1
    assert not part(labels[2:])[0][1].equal(ours[0][3])


def test_the_cost_of_an_image_counts_all_proposals(make: Any) -> None:
    from darts.costs.count import count

    detector = make("faster-rcnn")
    assert isinstance(detector, FasterRCNNDetector)
    head = (CHANNELS * 49 + 4 * CHANNELS) * 4 * CHANNELS + 4 * CHANNELS * (4 + 16)
    assert count(detector, SIZE).linear_macs == 1000 * head
