"""Small tables of cells in every form, and what they say."""

from __future__ import annotations

import bz2
import gzip
import json
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darts.nasbench.cell_names import cell_number, strings
from genotypes.nasbench201 import naslib_tuple

SEEDS = (777, 888, 999)
NUMBERS = (1835, 9930, 6111, 1462)
VALID = {1835: 39.75, 9930: 91.5, 6111: 91.625, 1462: 90.25}
TEST = {1835: 54.25, 9930: 94.375, 6111: 94.375, 1462: 93.75}
"""Accuracies that binary fractions express exactly, so that means of seeds are exact."""


def delimited(delimiter: str = ",", *, factor: float = 1.0) -> str:
    """The table with a header; the cells stand in the second column."""
    lines = [delimiter.join(["latency_ms", "arch", "cifar10_test_acc", "cifar10_valid_acc"])]
    lines += [
        delimiter.join(["1.5", strings()[n], repr(TEST[n] * factor), repr(VALID[n] * factor)])
        for n in NUMBERS
    ]
    return "\n".join(lines) + "\n"


def naslib() -> str:
    """The table with tuples of NASLib, quoted because of their commas."""
    rows = [f'"{naslib_tuple(cell_number(n))}",{VALID[n]},{TEST[n]}' for n in NUMBERS]
    return "\n".join(["net,val_acc,test_acc", *rows])


def genius() -> str:
    """The table as GENIUS writes it."""
    return json.dumps(
        {
            strings()[n]: {"val_acc_200": VALID[n], "test_acc_200": TEST[n], "rank": 9}
            for n in NUMBERS
        }
    )


def results(number: int, seeds: int = 3) -> dict[str, Any]:
    """The results of the trainings of 200 epochs of a cell, as the official files hold them.

    The seeds differ around the mean. The test accuracy of the training on half of the images, and
    those of other epochs, are wrong on purpose.
    """
    every: dict[tuple[str, int], dict[str, Any]] = {}
    spread = {1: [0.0], 2: [-0.5, 0.5], 3: [-0.5, 0.0, 0.5]}[seeds]
    for seed, off in zip(SEEDS, spread, strict=False):
        shared = {"seed": seed, "epochs": 200, "net_state_dict": None, "latency": [0.1]}
        every["cifar10-valid", seed] = {
            **shared,
            "eval_names": ["ori-test", "x-valid"],
            "eval_acc1es": OrderedDict(
                {
                    "x-valid@0": 11.0,
                    "x-valid@199": np.float64(VALID[number] + off),
                    "ori-test@199": 1.0,
                }
            ),
        }
        every["cifar10", seed] = {
            **shared,
            "eval_names": ["ori-test"],
            "eval_acc1es": {"ori-test@0": 12.0, "ori-test@199": TEST[number] + off},
        }
        every["cifar100", seed] = {
            **shared,
            "eval_names": ["ori-test", "x-valid", "x-test"],
            "eval_acc1es": {"x-valid@199": 70.0 + off, "x-test@199": 71.0 + off, "ori-test@199": 5},
        }
    return {"arch_index": number, "arch_str": strings()[number], "all_results": every}


def official(short: str = "less", long: str = "full") -> dict[str, Any]:
    """The value in an official file with all cells."""
    wrong = {"arch_str": "|wrong~0|", "all_results": {}}
    return {
        "meta_archs": list(strings()),
        "arch2infos": OrderedDict(
            (n, {short: wrong, long: results(n, seeds)})
            for n, seeds in zip(NUMBERS, (3, 3, 2, 1), strict=True)
        ),
        "evaluated_indexes": set(NUMBERS),
    }


def write_folder(folder: Path) -> Path:
    """A folder with a pickle for each cell."""
    folder.mkdir()
    meta = {"meta_archs": list(strings()), "evaluated_indexes": set(NUMBERS)}
    (folder / "meta.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(meta)))
    for number in NUMBERS:
        data = pickle.dumps({"12": results(number), "200": results(number)}, protocol=4)
        (folder / f"{number:06d}.pickle.pbz2").write_bytes(bz2.compress(data))
    return folder


def write_every_form(folder: Path) -> Mapping[str, Path]:
    """A file or folder of each form, with names that say nothing."""
    texts = {
        "CSV": delimited(),
        "TSV": delimited("\t"),
        "semicolons": delimited(";"),
        "NASLib": naslib(),
        "JSON": genius(),
    }
    data = {name: text.encode() for name, text in texts.items()}
    data["gzip"] = gzip.compress(delimited().encode())
    data["bzip2 of CSV"] = bz2.compress(delimited().encode())
    data["gzip of JSON"] = gzip.compress(genius().encode())
    for protocol in range(2, 6):
        data[f"pickle {protocol}"] = pickle.dumps(official(), protocol=protocol)
    data["NATS pickle"] = bz2.compress(pickle.dumps(official("12", "200"), protocol=4))
    paths = {}
    for place, (name, content) in enumerate(data.items()):
        paths[name] = folder / f"file-{place}"
        paths[name].write_bytes(content)
    for name, new in (("torch zip", True), ("torch legacy", False)):
        paths[name] = folder / f"file-{name[6]}"
        torch.save(official(), paths[name], _use_new_zipfile_serialization=new)
    paths["folder"] = write_folder(folder / "some-folder")
    return paths
