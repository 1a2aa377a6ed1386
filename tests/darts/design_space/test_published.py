"""The data file of published results equals an independent transcription of its sources."""

import json
from pathlib import Path

from darts.design_space.published import published_legends, published_models


def test_equals_the_reference_file(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "regnet.json").read_text())["models"]
    rows = {row.model: row for row in published_models()}
    keys = {
        "params": "params", "flops": "flops", "acts": "acts", "top1_error": "paper_top1_err",
        "deviation": "paper_std", "zoo_top1_error": "zoo_top1_err",
        "zoo_top5_error": "zoo_top5_err", "batch_size": "batch", "learning_rate": "lr",
        "weight_decay": "wd", "warmup_epochs": "warmup", "train_resolution": "res_train",
        "test_resolution": "res_test", "inference_ms": "paper_infer_ms_64img_v100",
        "training_hours": "paper_train_hr_100ep_8gpu",
    }  # fmt: skip
    assert len(rows) == len(facts) == 36
    for title, fact in facts.items():
        separator = "" if title.startswith("ResNe") else "_"
        row = rows[title.lower().replace("-", separator)]
        for name, key in keys.items():
            assert getattr(row, name) == fact.get(key, getattr(row, name)), (title, name)


def test_errors_of_other_sources() -> None:
    rows = {row.model: row for row in published_models()}
    assert rows["regnetx_3.2gf"].imagenet_v2_error == 33.6
    assert rows["regnety_8.0gf"].imagenet_v2_error == 31.3
    assert rows["efficientnet_b5"].imagenet_v2_error == 31.5
    assert rows["regnetx_200mf"].imagenet_v2_error is None
    assert rows["resnet50"].original_error == 23.9
    assert rows["efficientnet_b4"].original_error == 17.4
    assert rows["regnety_16gf"].batch_size == 256


def test_plausible() -> None:
    for row in published_models():
        assert 15 < row.top1_error < 35
        # The zoo has the run nearest the mean.
        assert abs(row.zoo_top1_error - row.top1_error) < 0.2
        assert row.zoo_top5_error < row.zoo_top1_error
        # Another draw of images costs about ten points.
        if row.imagenet_v2_error is not None:
            assert 8 < row.imagenet_v2_error - row.top1_error < 15


def test_legends(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "regnet.json").read_text())["edf_legends"]
    known = [row for rows in facts.values() if isinstance(rows, list) for row in rows]
    legends = published_legends()
    assert len(legends) == len(known)
    for legend, row in zip(legends, known, strict=True):
        made = (legend.space, legend.minimum, legend.mean, legend.certain)
        assert made == tuple(row[name] for name in ("space", "min", "mean", "certain"))
        assert legend.figure in ("Fig. 9", "Fig. 10")
