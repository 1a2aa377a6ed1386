import shutil

import pytest
import torch
from PIL import Image

from darts.data.folders import open_folder
from darts.errors import UserError


def opened(root):
    return open_folder(root, 0, f"folder:{root}")


@pytest.mark.parametrize("part", ["val", "test"])
def test_training_and_test_folders(tmp_path, write_folder, part):
    train = write_folder(tmp_path / "train", {"cat": 3, "ant": 2})
    test = write_folder(tmp_path / part, {"ant": 1, "cat": 2}, seed=1)
    source = opened(tmp_path)
    assert source.classes == ("ant", "cat")
    assert source.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert source.test.labels.tolist() == [0, 1, 1]
    assert source.size == 12
    pixels = source.train.resized(12).fetch(torch.tensor([1, 2])).permute(0, 2, 3, 1).numpy()
    assert (pixels[0] == train["ant"][1]).all()
    assert (pixels[1] == train["cat"][0]).all()
    pixels = source.test.resized(12).fetch(torch.tensor([2])).permute(0, 2, 3, 1).numpy()
    assert (pixels[0] == test["cat"][1]).all()


def test_val_goes_before_a_test_folder_without_labels(tmp_path, write_folder):
    for part in ("train", "val"):
        write_folder(tmp_path / part, {"a": 2, "b": 2})
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "unlabelled.png").write_bytes(b"")
    assert len(opened(tmp_path).test) == 4


@pytest.mark.parametrize("below", ["", "train"])
def test_without_test_images_every_fifth_is_held_out(tmp_path, write_folder, below):
    write_folder(tmp_path / below if below else tmp_path / "flat", {"a": 10, "b": 6})
    source = opened(tmp_path if below else tmp_path / "flat")
    assert source.train.labels.bincount().tolist() == [8, 5]
    names = [path[-9:] for path in source.test.paths]
    assert names == ["a/004.png", "a/009.png", "b/004.png"]
    assert not set(source.test.paths) & set(source.train.paths)


def test_files_that_are_no_images_and_hidden_ones_are_passed_over(tmp_path, write_folder):
    for part in ("train", "val"):
        write_folder(tmp_path / part, {"a": 2, "b": 2})
    (tmp_path / "train" / "a" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "train" / "a" / "._000.png").write_bytes(b"x")
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "a" / "deeper").mkdir()
    shutil.copy(tmp_path / "train/a/000.png", tmp_path / "train/a/deeper/000.PNG")
    assert opened(tmp_path).train.labels.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("size", [(12, 16), (65, 65)])
def test_large_or_oblong_images_are_shown_at_224(tmp_path, write_folder, size):
    for part in ("train", "val"):
        write_folder(tmp_path / part, {"a": 1, "b": 1}, size)
    assert opened(tmp_path).size == 224


def test_images_that_differ_in_size_are_shown_at_224(tmp_path, write_folder):
    for part in ("train", "val"):
        write_folder(tmp_path / part, {"a": 1, "b": 1})
    for side in (20, 30):
        Image.new("RGB", (side, side)).save(tmp_path / "train" / "b" / f"{side}.png")
    assert opened(tmp_path).size == 12  # Half of the images, and all are small.
    Image.new("RGB", (40, 40)).save(tmp_path / "train" / "b" / "other.png")
    source = opened(tmp_path)
    assert source.size == 224
    assert source.train.fetch(torch.arange(3)).shape == (3, 3, 224, 224)


def test_most_images_small_and_some_large_is_said(tmp_path, write_folder):
    write_folder(tmp_path, {"a": 10, "b": 10})
    for number in range(2):
        Image.new("RGB", (90, 90)).save(tmp_path / "a" / f"z{number}.png")
        Image.new("RGB", (90, 90)).save(tmp_path / "b" / f"z{number}.png")
    source = opened(tmp_path)
    assert source.size == 224
    assert "all are resized to 224 x 224. --image-size chooses" in " ".join(source.notes)


def test_faulty_folders_are_named(tmp_path, write_folder):
    def refused(message, root):
        with pytest.raises(UserError, match=message):
            opened(tmp_path / root)

    refused("there is no folder .*absent", "absent")

    (tmp_path / "bare").mkdir()
    refused("bare has 0 class folders", "bare")

    write_folder(tmp_path / "single", {"only": 6})
    refused("single has 1 class folders", "single")

    write_folder(tmp_path / "hollow", {"a": 6, "b": 6, "c": 0})
    refused("class folder .*hollow/c holds no image", "hollow")

    write_folder(tmp_path / "hollow_test" / "train", {"a": 2, "b": 2})
    write_folder(tmp_path / "hollow_test" / "val", {"a": 2, "b": 0})
    refused("class folder .*hollow_test/val/b holds no image", "hollow_test")

    write_folder(tmp_path / "differ" / "train", {"a": 2, "b": 2, "c": 2})
    write_folder(tmp_path / "differ" / "val", {"a": 2, "b": 2})
    refused("classes differ: .*differ/train has c,", "differ")

    write_folder(tmp_path / "more" / "train", {"a": 2, "b": 2})
    write_folder(tmp_path / "more" / "val", {"a": 2, "b": 2, "d": 1})
    refused("classes differ: .*more/val has d,", "more")

    write_folder(tmp_path / "untrained" / "val", {"a": 2, "b": 2})
    refused("untrained has val/ but no train/", "untrained")

    write_folder(tmp_path / "few", {"a": 1, "b": 1})
    refused("each class has only one image", "few")


def test_small_classes_are_divided_as_far_as_possible(tmp_path, write_folder):
    write_folder(tmp_path, {"a": 5, "b": 4, "c": 1})
    source = opened(tmp_path)
    assert (source.train.labels.tolist(), source.test.labels.tolist()) == (
        [0, 0, 0, 0, 1, 1, 1, 2],
        [0, 1],
    )
    assert "Class c has one image; it is trained on and not tested." in source.notes
