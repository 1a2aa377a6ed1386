"""Classes of ImageNet's validation images, which their archive puts into a single folder."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from darts.errors import UserError

TABLE = "LOC_val_solution.csv"
DEVKIT = "ILSVRC2012_devkit_t12"
LEVELS_UP = 3  # Kaggle's archive has its table three folders above train/ and val/


def validation_classes(folder: Path) -> dict[str, str]:
    """Return the WordNet id of each image in `folder`, by file name without suffix.

    The ids are read from Kaggle's table LOC_val_solution.csv or from the unpacked development kit
    ILSVRC2012_devkit_t12/. Either lies beside `folder` or up to three folders above that.

    Raises:
        UserError: There is neither, or it is damaged.
    """
    for place in (folder.parent, *list(folder.parents)[1 : 1 + LEVELS_UP]):
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
        f"{folder} holds no class folders, and the classes of its images are not listed: sort "
        "them into one folder per class or, for ImageNet, put the unpacked development kit "
        f"{DEVKIT}/ or Kaggle's {TABLE} beside it"
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
    truth = (data / "ILSVRC2012_validation_ground_truth.txt").read_text(encoding="utf-8").split()
    classes = {}
    for path in folder.iterdir():
        if number := re.search(r"_(\d+)$", path.stem):
            classes[path.stem] = wnids[int(truth[int(number.group(1)) - 1])]
    return classes
