import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from darts.data.folders import open_folder
from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError

WNIDS = ["n01", "n02", "n03"]
# Classes of the validation images 1 to 6, as numbers of the development kit.
TRUTH = [2, 1, 3, 3, 1, 2]
CLASSES = [1, 0, 2, 2, 0, 1]


@pytest.fixture
def folder(tmp_path, write_folder):
    """ImageNet's layout with a flat val/; image i has the grey level i everywhere."""
    root = tmp_path / "ILSVRC/Data/CLS-LOC"
    write_folder(root / "train", dict.fromkeys(WNIDS, 4), (96, 96))
    (root / "val").mkdir()
    for number in range(1, 7):
        image = Image.fromarray(np.full((96, 96), number, np.uint8))
        image.save(root / "val" / f"ILSVRC2012_val_{number:08}.png")
    return root


def write_table(path):
    rows = [f"ILSVRC2012_val_{i:08},n0{c} 1 2 3 4 n0{c} 5 6 7 8 \n" for i, c in enumerate(TRUTH, 1)]
    path.write_text("ImageId,PredictionString\n" + "".join(reversed(rows)))


def write_devkit(path):
    path.mkdir(parents=True)
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    # Leaf synsets first, then inner ones, which no image has.
    rows = [(i, f"n0{i}", "a thing") for i in (1, 2, 3)] + [(4, "n99", "entity")]
    savemat(path / "meta.mat", {"synsets": np.array(rows, dtype=fields)[:, None]})
    (path / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(map(str, TRUTH)) + "\n")


def check(folder):
    test = open_folder(folder, 0, "imagenet").test
    shown = test.resized(8).in_memory().pixels[:, 0, 0, 0].tolist()
    assert [CLASSES[number - 1] for number in shown] == test.labels.tolist()
    assert sorted(shown) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("place", [".", "..", "../../.."])
def test_kaggles_table(folder, place):
    write_table(folder / place / "LOC_val_solution.csv")
    check(folder)


def test_the_development_kit(folder):
    write_devkit(folder / "ILSVRC2012_devkit_t12/data")
    check(folder)


def test_classes_that_are_not_trained_are_left_out(folder):
    write_table(folder / "LOC_val_solution.csv")
    for path in (folder / "train/n02").iterdir():
        path.unlink()
    (folder / "train/n02").rmdir()
    source = open_folder(folder, 0, "imagenet")
    assert source.classes == ("n01", "n03")
    assert source.test.labels.tolist() == [0, 1, 1, 0]


def test_without_either_the_message_names_both(folder):
    with pytest.raises(UserError, match=r"no class folders.*devkit_t12/ or Kaggle's LOC_val"):
        open_folder(folder, 0, "imagenet")
    write_devkit(folder / "ILSVRC2012_devkit_t12/data")
    (folder / "ILSVRC2012_devkit_t12/data/meta.mat").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"classes of .*val cannot be read"):
        open_folder(folder, 0, "imagenet")


def test_by_name(folder):
    write_table(folder / "LOC_val_solution.csv")
    options = DataOptions(dataset="imagenet", data_dir=str(folder), workers=0, image_size=16)
    dataset = open_dataset(options)
    assert not dataset.measured
    assert dataset.mean == (0.485, 0.456, 0.406)
    assert dataset.classes == tuple(WNIDS)
    assert len(dataset.test) == 6
