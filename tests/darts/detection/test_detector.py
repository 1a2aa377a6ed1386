"""The detector: maps, heads, cost, and non-maximum suppression."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from darts import create_network
from darts.detection.backbone import create_backbone
from darts.detection.detections import suppressed
from darts.detection.heads import detector_from_description
from darts.detection.matching import encode_boxes
from darts.detection.options import DetectionOptions
from darts.detection.ssd import SSDDetector
from darts.detection.summary import summarise_detector
from darts.detection.task import DetectionTask
from darts.errors import UserError
from darts.system.torchvision_compat import torchvision
from tests.darts.detection.support import detection_options, tiny_model
from tests.darts.runs_support import assert_same


@pytest.fixture
def detector(tmp_path: Path) -> SSDDetector:
    generator = torch.Generator().manual_seed(0)
    backbone = create_network(tiny_model(tmp_path), features_only=True, generator=generator)
    return SSDDetector(backbone, num_classes=3, image_size=64, generator=generator)


def test_outputs_fit_the_default_boxes(detector: SSDDetector) -> None:
    assert detector.sides == (8, 4, 2, 1)
    offsets, logits = detector(torch.zeros(2, 3, 64, 64))
    boxes = 64 * 4 + 16 * 6 + 4 * 4 + 4
    assert detector.default_boxes.shape == (boxes, 4)
    assert offsets.shape == (2, boxes, 4)
    assert logits.shape == (2, boxes, 4)


def test_weights_come_from_the_generator_alone(tmp_path: Path) -> None:
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(5)
        backbone = create_network(tiny_model(tmp_path), features_only=True, generator=generator)
        made = SSDDetector(
            backbone, num_classes=3, image_size=64, head="ssdlite", generator=generator
        )
        states.append(made.state_dict())
    assert_same(dict(states[0]), dict(states[1]))


@pytest.mark.parametrize(
    ("model", "sides"),
    [
        ("regnetx_200mf", (40, 20, 10, 5, 3, 2, 1)),
        ("efficientnet_b0", (40, 20, 10, 5, 3, 2, 1)),
        # The padding of FBNetV3 makes maps one pixel smaller.
        ("fbnetv3_a", (40, 19, 9, 5, 3, 2, 1)),
    ],
)
def test_every_family_can_be_a_backbone(model: str, sides: tuple[int, ...]) -> None:
    with torch.device("meta"):
        backbone = create_network(model, features_only=True)
        made = SSDDetector(backbone, num_classes=80, image_size=320)
    assert made.sides == sides


def test_small_stems_use_their_last_map() -> None:
    backbone = create_network("pcdarts_cifar10", features_only=True, channels=4, layers=3)
    assert SSDDetector(backbone, num_classes=2, image_size=32).sides == (8, 4, 2, 1)


def test_cost_of_the_papers_setting() -> None:
    """Close to the 5.8 M parameters and 1.20 B multiply-adds in table 5 of the paper."""
    options = DetectionOptions(genotype="pcdarts_imagenet", head="ssdlite", finest_stride=16)
    card = summarise_detector(options)
    assert "parameters      6,197,070 (4,573,464 of the backbone)" in card
    assert "multiply-adds   1,314,797,504 (1,185,427,200 of the backbone)" in card


def test_descriptions_rebuild_detectors(detector: SSDDetector) -> None:
    again = detector_from_description(detector.description)
    again.load_state_dict(detector.state_dict())
    assert again.default_boxes.equal(detector.default_boxes)
    images = torch.rand(1, 3, 64, 64)
    assert again.eval()(images)[1].equal(detector.eval()(images)[1])
    with pytest.raises(UserError, match="not that of a detector"):
        detector_from_description({})


def test_suppression_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [0, 0, 10, 10]])
    scores = torch.tensor([[0.8, 0.0], [0.9, 0.3], [0.6, 0.005], [0.0, 0.2]])
    found = suppressed(boxes, scores, score_threshold=0.01, nms_threshold=0.45)
    # The first box of class 1 is suppressed by the second (IoU 9/11), as is the last of class 2.
    assert found.labels.tolist() == [1, 1, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6, 0.3])
    assert found.boxes.tolist() == [boxes[i].tolist() for i in (1, 2, 1)]


def test_detections_equal_torchvisions(detector: SSDDetector, monkeypatch: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    count_ = len(detector.default_boxes)
    logits = 3 * torch.randn(2, count_, 4, generator=generator)
    offsets = torch.randn(2, count_, 4, generator=generator)
    detection = torchvision.models.detection
    boxes = detection.anchor_utils.DefaultBoxGenerator([[2]])
    ssd = detection.ssd.SSD(torch.nn.Identity(), boxes, (64, 64), 4, head=torch.nn.Identity())
    ssd.detections_per_img = 100
    theirs = ssd.postprocess_detections(
        {"bbox_regression": offsets, "cls_logits": logits},
        [detector.default_boxes] * 2,
        [(64, 64)] * 2,
    )
    monkeypatch.setattr(detector, "forward", lambda images: (offsets, logits))
    for ours, their in zip(detector.detect(torch.zeros(2, 3, 64, 64)), theirs, strict=True):
        assert ours.labels.equal(their["labels"])
        torch.testing.assert_close(ours.scores, their["scores"])
        torch.testing.assert_close(ours.boxes, their["boxes"], rtol=1e-4, atol=1e-3)


def test_a_confident_prediction_is_detected_at_its_box(
    detector: SSDDetector, monkeypatch: Any
) -> None:
    box = torch.tensor([[11.0, 20, 37, 41]])
    logits = torch.zeros(1, len(detector.default_boxes), 4)
    logits[..., 0] = 9
    logits[0, 30] = torch.tensor([0.0, 0, 9, 0])
    offsets = encode_boxes(box.expand(len(detector.default_boxes), 4), detector.default_boxes)[None]
    monkeypatch.setattr(detector, "forward", lambda images: (offsets, logits))
    (found,) = detector.detect(torch.zeros(1, 3, 64, 64))
    assert found.labels.tolist() == [2]
    torch.testing.assert_close(found.boxes, box)


def test_invalid_backbones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No backbone is given"):
        create_backbone(DetectionOptions())
    with pytest.raises(UserError, match="only one of the two"):
        create_backbone(DetectionOptions(genotype="pcdarts_cifar10", model="resnet50"))
    with pytest.raises(UserError, match="only to networks of genotypes"):
        create_backbone(detection_options(tmp_path, channels=8))
    with pytest.raises(UserError, match="multiples of 32"):
        summarise_detector(DetectionOptions(genotype="pcdarts_imagenet", image_size=300))


def test_without_pycocotools_the_extra_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[detection\]'"):
        DetectionTask(detection_options(tmp_path))
