"""Networks in outline, as pictures and in one table: the figures of their papers."""

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from darts.cli import main
from darts.costs.network_drawing import draw_network, picture_of
from darts.costs.outline import outline_of
from darts.errors import UserError
from darts.models.registry import find_model
from darts.report.cell_picture import DrawnBox, Line
from darts.report.text_width import text_width

# (depth, width, side) of each stage: RegNet, fig. 15; EfficientNet, table 1; ResNet, table 1.
STAGES = {
    "regnetx_600mf": [(1, 48, 56), (3, 96, 28), (5, 240, 14), (7, 528, 7)],
    "efficientnet_b0": [
        *((1, 16, 112), (2, 24, 56), (2, 40, 28), (3, 80, 14)),
        *((3, 112, 14), (4, 192, 7), (1, 320, 7)),
    ],
    "resnet50": [(3, 256, 56), (4, 512, 28), (6, 1024, 14), (3, 2048, 7)],
}


@pytest.mark.parametrize("name", STAGES)
def test_stages(name: str) -> None:
    found = outline_of(name, find_model(name))  # type: ignore[arg-type]
    stem, *stages = found.stages
    assert [(one.depth, one.width, one.size) for one in stages] == STAGES[name]
    assert stem.size * stem.stride == found.resolution == 224


def test_the_size_of_the_image() -> None:
    """FBNetV3-G is made for images of 320 pixels."""
    found = outline_of("fbnetv3_g", find_model("fbnetv3_g"))  # type: ignore[arg-type]
    assert (found.macs, found.resolution, found.features) == (2_125_187_200, 320, 1984)
    small = outline_of("fbnetv3_g", find_model("fbnetv3_g"), 224)  # type: ignore[arg-type]
    assert small.stages[0].size == 112


def test_the_picture_has_every_block_and_no_overlaps() -> None:
    outline = outline_of("regnetx_600mf", find_model("regnetx_600mf"))  # type: ignore[arg-type]
    picture = picture_of(outline)
    slabs = [one for one in picture.shapes if isinstance(one, DrawnBox)]
    assert len(slabs) == 1 + 16 + 1
    edges = [(one.centre[0] - one.size[0] / 2, one.centre[0] + one.size[0] / 2) for one in slabs]
    assert all(right < left for (_, right), (left, _) in pairwise(edges))
    # A slab's height is the square root of its image's side.
    assert slabs[1].size[1] / slabs[0].size[1] == pytest.approx((56 / 112) ** 0.5)
    rows: dict[float, list[Line]] = {}
    for shape in picture.shapes:
        if isinstance(shape, Line) and shape.anchor == "middle":
            rows.setdefault(shape.at[1], []).append(shape)
    for row in rows.values():
        spans = [
            (one.at[0] - text_width(one.text, one.size) / 2, one.at[0]
             + text_width(one.text, one.size) / 2) for one in row
        ]  # fmt: skip
        assert all(0 < left < right < picture.width for left, right in spans)
        assert all(right < left for (_, right), (left, _) in pairwise(spans))


def test_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "regnetx_200mf", "-o", str(tmp_path), "--resolution", "64"]) == 0
    svg, png = map(Path, capsys.readouterr().out.split())
    root = ElementTree.fromstring(svg.read_bytes())
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"stage 4", "7 blocks", "width 368", "2 × 2", "groups of 8"} <= set(texts)
    assert png.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="svg or png"):
        draw_network("x", find_model("regnetx_200mf"), tmp_path / "new", ["pdf"])  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_several_models_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "costs.svg"
    command = ["cost", "regnetx_200mf", "efficientnet_b0", "pcdarts_cifar10"]
    assert main([*command, "--json", "-o", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["params"], one["macs"]) for one in found[:2]] == [
        (2_684_792, 199_039_872),
        (5_288_548, 385_814_752),
    ]
    assert "efficientnet_b0" in picture.read_text()
    assert main(command) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "parameters", "multiply-adds", "activations", "pixels"]
    assert first.split()[:2] == ["regnetx_200mf", "2,684,792"]


def test_latencies_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["cost", "regnetx_200mf", "--resolution", "32", "--latency", "--batch", "2"]
    assert main([*command, "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["batch"] == 2
    assert found["latency_ms"] > 0
    assert main([*command[:-1], "0"]) == 2
