import io
import zipfile

import numpy as np
import pytest
import torch

from darts.data.arrays import open_array
from darts.errors import UserError


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "x_train": random.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": random.integers(0, 256, (3, 8, 8, 3), np.uint8),
        "y_test": np.array([2, 1, 0], np.uint8),
    }


@pytest.fixture
def save(tmp_path):
    def write(arrays):
        np.savez(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


def test_a_round_trip(arrays, save):
    source = open_array(save(arrays))
    assert source.classes == ("0", "1", "2")
    assert source.size == 8
    pixels = source.train.fetch(torch.arange(6)).permute(0, 2, 3, 1).numpy()
    assert (pixels == arrays["x_train"]).all()
    assert source.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert source.test.labels.tolist() == [2, 1, 0]
    assert source.test.labels.dtype == torch.int64


@pytest.mark.parametrize("with_axis", [True, False])
def test_grey_images(arrays, save, with_axis):
    for key in ("x_train", "x_test"):
        arrays[key] = arrays[key][..., :1] if with_axis else arrays[key][..., 0]
    images = open_array(save(arrays)).train
    assert images.pixels.shape == (6, 1, 8, 8)
    batch = images.fetch(torch.arange(6))
    assert batch.shape == (6, 3, 8, 8)
    assert (batch[:, 2].numpy() == arrays["x_train"].reshape(6, 8, 8)).all()


def test_classes_can_be_named(arrays, save):
    source = open_array(save(arrays | {"classes": np.array(["ant", "bee", "cat"])}))
    assert source.classes == ("ant", "bee", "cat")


def test_oblong_images_have_no_size_of_their_own(arrays, save):
    for key in ("x_train", "x_test"):
        arrays[key] = arrays[key][:, :6]
    assert open_array(save(arrays)).size is None


FAULTS = {
    "x_train is of type float32 with values from -1 to": lambda a: (
        a | {"x_train": a["x_train"].astype(np.float32) / 127.5 - 1}
    ),
    "x_train is of type uint16 with values from 0 to 51000": lambda a: (
        a | {"x_train": (a["x_train"] // 255 * np.uint16(51000)).astype(np.uint16)}
    ),
    "x_train is of type <U1": lambda a: a | {"x_train": np.full((6, 8, 8), "a")},
    "x_train is of type float64 with values from nan": lambda a: (
        a | {"x_train": a["x_train"] * np.nan}
    ),
    r"x_test has the shape \(3, 8, 8, 5\)": lambda a: (
        a | {"x_test": np.zeros((3, 8, 8, 5), np.uint8)}
    ),
    "y_train has 2 numbers for each image, but not 0 and 1": lambda a: (
        a | {"y_train": np.array([[1, 1]] * 6)}
    ),
    "y_test has the class bee, of which there is no training image": lambda a: (
        a | {"y_train": np.array(["ant", "cat"] * 3), "y_test": np.array(["ant", "bee", "cat"])}
    ),
    "y_test holds names, and other labels are numbers": lambda a: (
        a | {"y_test": np.array(["0", "1", "2"])}
    ),
    "classes has the name ant twice": lambda a: a | {"classes": np.array(["ant", "ant", "cat"])},
    r"classes is <U2 of shape \(\)": lambda a: a | {"classes": np.array("ab")},
    "y_train has the label 1000000000000; labels are the numbers": lambda a: (
        a | {"y_train": np.array([0, 1, 2, 0, 1, 10**12])}
    ),
    "y_train and train_labels mean the same": lambda a: a | {"train_labels": a["y_train"]},
    r"x_train has the shape \(6, 8\)": lambda a: a | {"x_train": a["x_train"][:, :, 0, 0]},
    r"x_train has the shape \(0, 8, 8, 3\)": lambda a: a | {"x_train": a["x_train"][:0]},
    "x_train and x_test hold images of different shapes, 8x8x3 and 4x8x3": lambda a: (
        a | {"x_test": a["x_test"][:, :4]}
    ),
    "y_train is float64": lambda a: a | {"y_train": a["y_train"] / 2},
    r"y_test is uint8 of shape \(3, 1, 1\)": lambda a: a | {"y_test": a["y_test"][:, None, None]},
    "y_train has 5 labels for 6 images in x_train": lambda a: a | {"y_train": a["y_train"][:5]},
    "y_train has the label -1": lambda a: a | {"y_train": a["y_train"] - 1},
    "y_test has the label 3; .*0 to 2": lambda a: a | {"y_test": np.array([0, 1, 3])},
    r"class 0 \(label 0\) has no training image": lambda a: a | {"y_train": a["y_train"] + 1},
    "y_train has the label 2; the 2 classes": lambda a: a | {"classes": np.array(["ant", "bee"])},
    r"class dog \(label 3\) has no training image": lambda a: (
        a | {"classes": np.array(["ant", "bee", "cat", "dog"])}
    ),
    "only one class": lambda a: a | {"y_train": a["y_train"] * 0, "y_test": a["y_test"] * 0},
    "lacks y_test; .* has x_train, y_train, x_test": lambda a: (
        {key: a[key] for key in ("x_train", "y_train", "x_test")}
    ),
    "cannot be read as an .npz": lambda a: a | {"y_train": np.array([None] * 6)},
}


FORMS = {
    "a column of labels": lambda a: a | {"y_train": a["y_train"][:, None]},
    "one-hot rows were read as classes": lambda a: a | {"y_train": np.eye(3)[a["y_train"]]},
    "Labels begin at 1": lambda a: (
        a | {"y_train": a["y_train"] + 1, "y_test": a["y_test"].astype(np.int64) + 1}
    ),
    "whole numbers of another type": lambda a: a | {"y_train": a["y_train"].astype(np.float32)},
    "Fractions from 0 to 1 were multiplied by 255": lambda a: (
        a | {"x_train": (a["x_train"] / 255).astype(np.float32)}
    ),
    "0 to 255 of another type": lambda a: a | {"x_train": a["x_train"].astype(np.float64)},
    "Images [N, C, H, W] were turned": lambda a: (
        a | {"x_train": a["x_train"].transpose(0, 3, 1, 2)}
    ),
    "Transparent images were laid on white": lambda a: (
        a
        | {
            key: np.concatenate([a[key], np.full((*a[key].shape[:3], 1), 255, np.uint8)], 3)
            for key in ("x_train", "x_test")
        }
    ),
    "names of Keras": lambda a: {
        "X_train": a["x_train"],
        "train_y": a["y_train"],
        "xTest": a["x_test"],
        "Y_Test": a["y_test"],
    },
    "names of MedMNIST": lambda a: {
        "train_images": a["x_train"],
        "train_labels": a["y_train"][:, None],
        "val_images": a["x_test"][:1],
        "val_labels": a["y_test"][:1, None],
        "test_images": a["x_test"],
        "test_labels": a["y_test"][:, None],
    },
    "val in place of test": lambda a: {
        "x_train": a["x_train"], "y_train": a["y_train"], "x_val": a["x_test"], "y_val": a["y_test"]
    },
}  # fmt: skip


@pytest.mark.parametrize("what", FORMS)
def test_common_forms_are_the_same_data(arrays, save, what):
    """What begins with a capital is a note to the user."""
    source = open_array(save(FORMS[what](arrays)))
    pixels = source.train.fetch(torch.arange(6)).permute(0, 2, 3, 1).numpy()
    assert (pixels == arrays["x_train"]).all()
    assert source.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert source.test.labels.tolist() == [2, 1, 0]
    if what[0].isupper() or "one-hot" in what:
        assert what in " ".join(source.notes)
    else:
        assert source.notes == ()


def test_labels_may_be_text_or_bytes(arrays, save):
    names = np.array(["ant", "bee", "cät"])
    for made in (names, np.char.encode(names, "utf-8")):
        labels = {key: made[arrays[key]] for key in ("y_train", "y_test")}
        source = open_array(save(arrays | labels))
        assert source.classes == ("ant", "bee", "cät")
        assert source.train.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_labels_from_1_keep_their_names(arrays, save):
    more = {"y_train": arrays["y_train"] + 1, "y_test": arrays["y_test"].astype(np.int64) + 1}
    assert open_array(save(arrays | more)).classes == ("1", "2", "3")


@pytest.mark.parametrize("shape", [(6, 3072), (6, 3, 1024)])
def test_rows_of_cifar_are_planes(arrays, save, shape):
    images = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
    rows = images.transpose(0, 3, 1, 2).reshape(shape)
    source = open_array(save(arrays | {"x_train": rows, "x_test": rows[:3]}))
    pixels = source.train.fetch(torch.arange(6)).permute(0, 2, 3, 1).numpy()
    assert (pixels == images).all()
    assert "as in CIFAR" in source.notes[0]


def test_half_transparent_pixels_lie_on_white(arrays, save):
    icon = np.zeros((6, 8, 8, 2), np.uint8)
    icon[..., 1] = [[[0]], [[255]], [[51]], [[0]], [[0]], [[0]]]
    source = open_array(save(arrays | {"x_train": icon, "x_test": icon[:3]}))
    assert source.train.fetch(torch.arange(3))[:, 0, 0, 0].tolist() == [255, 0, 204]


def test_which_part_is_tested_on(arrays, save):
    both = arrays | {"x_val": arrays["x_test"][:1], "y_val": arrays["y_test"][:1]}
    assert len(open_array(save(both)).test) == 3
    chosen = open_array(save(both), "val")
    assert (len(chosen.test), chosen.tested) == (1, "those in x_val")
    with pytest.raises(UserError, match=r"--test-part val: .*data\.npz has no x_val"):
        open_array(save(arrays), "val")


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_named_with_file_and_key(arrays, save, message):
    with pytest.raises(UserError, match=rf"data\.npz.*{message}"):
        open_array(save(FAULTS[message](arrays)))


def test_damaged_files(arrays, save, tmp_path):
    path = save(arrays)
    whole = path.read_bytes()
    plain = tmp_path / "plain.npy"
    np.save(plain, arrays["x_train"])
    for content in (whole[: len(whole) // 2], b"no archive", b"", plain.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"data\.npz cannot be read as an \.npz"):
            open_array(path)
    damaged = bytearray(whole)
    damaged[200] ^= 255  # a pixel: the checksum of the archive notices
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"data\.npz cannot be read as an \.npz"):
        open_array(path)
    path.unlink()
    with pytest.raises(UserError, match="there is no such file"):
        open_array(path)


def test_members_that_are_no_arrays_or_claim_absurd_sizes(arrays, save):
    def member(shape: str, kind: str) -> bytes:
        text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text

    path = save(arrays)
    whole = path.read_bytes()
    for content in (
        b"text",
        b"\x93NUMPY\x09\x00",
        member("(1180591620717411303424,)", "'|u1'"),
        member("(1000000000, 32, 32, 3)", "'|u1'"),
        member("(-1,)", "'<i8'"),
        member("(1,)", "'|O'"),
    ):
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, content if name == "x_test.npy" else old.read(name))
        with pytest.raises(UserError, match=r"data\.npz cannot be read as an \.npz"):
            open_array(path)
