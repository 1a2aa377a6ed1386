"""ImageNet's validation images as their archive unpacks: in one folder, without classes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from darts.errors import UserError

TABLE = "LOC_val_solution.csv"
DEVKIT = "ILSVRC2012_devkit_t12"
ABOVE = 3  # Kaggle's archive has its table three folders above train/ and val/


def validation_classes(folder: Path) -> dict[str, str]:
    """The WordNet id of each image in the flat `folder`, by file name without suffix.

    They stand in Kaggle's table LOC_val_solution.csv or in the unpacked development kit
    ILSVRC2012_devkit_t12/, beside `folder` or up to three folders above that.

    Raises:
        UserError: Neither is there, or it is damaged.
    """
    for place in (folder.parent, *list(folder.parents)[1 : 1 + ABOVE]):
        try:
            if (place / TABLE).is_file():
                return _from_table(place / TABLE)
            if (place / DEVKIT / "data").is_dir():
                return _from_devkit(place / DEVKIT / "data", folder)
        except (OSError, ValueError, KeyError, IndexError, csv.Error) as error:
            raise UserError(
                f"the classes of {folder} cannot be read from {place}: {error}"
            ) from error
    raise UserError(
        f"{folder} holds no class folders, and nothing says the classes of its images: sort them "
        f"into one folder a class, or, for ImageNet, put the unpacked development kit {DEVKIT}/ or "
        f"Kaggle's {TABLE} beside it"
    )


def _from_table(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}


def _from_devkit(data: Path, folder: Path) -> dict[str, str]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        synsets = loadmat(data / "meta.mat", squeeze_me=True)["synsets"]
    except MatReadError as error:
        raise ValueError(f"meta.mat: {error}") from error
    wnids = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text().split()
    classes = {}
    for path in folder.iterdir():
        if number := re.search(r"_(\d+)$", path.stem):
            classes[path.stem] = wnids[int(truth[int(number.group(1)) - 1])]
    return classes
