"""Names of classes that are no UTF-8: read, stored and read back, printed as escapes."""

import io
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from darts import cli
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.runs.directory import RunDirectory
from darts.trials.store import TrialStore
from genotypes.atomic import atomic_write

ODD = "caf\udce9"


@pytest.fixture
def folder(tmp_path):
    try:
        for name in (os.fsencode(ODD), b"disc"):
            place = os.path.join(os.fsencode(tmp_path), b"data", name)
            os.makedirs(place)
            for number in range(5):
                file = io.BytesIO()
                Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(file, "PNG")
                with open(os.path.join(place, b"%d.png" % number), "wb") as stream:
                    stream.write(file.getvalue())
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    return tmp_path / "data"


def test_files_hold_such_names_and_give_them_back(folder, tmp_path) -> None:
    dataset = open_dataset(DataOptions(dataset=f"folder:{folder}", workers=0))
    assert dataset.classes == (ODD, "disc")
    run = RunDirectory.create(str(tmp_path / "run"), "test", {"dataset": f"folder:{ODD}"})
    run.write_result({"test_classes": [{"class": name} for name in dataset.classes]})
    stored = json.loads(run.result.read_text(encoding="utf-8"))
    assert stored["test_classes"][0]["class"] == ODD
    assert run.read_config()["dataset"] == f"folder:{ODD}"
    with atomic_write(tmp_path / "page.html") as stream:
        stream.write(f"<p>{ODD}</p>")
    assert (tmp_path / "page.html").read_bytes() == b"<p>caf\\udce9</p>"
    with TrialStore(tmp_path / "trials.db") as store:
        store.configure({"dataset": f"folder:{ODD}"})
        store.configure({"dataset": f"folder:{ODD}"})


def test_such_names_are_printed_as_escapes(monkeypatch, tmp_path) -> None:
    shown = io.BytesIO()
    stream = io.TextIOWrapper(shown, encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stderr", stream)
    missing = str(tmp_path / ODD)
    assert cli.main(["evaluate", f"--dataset=folder:{missing}", "--genotype", "darts_v2"]) == 2
    stream.flush()
    assert b"caf\\udce9" in shown.getvalue()
