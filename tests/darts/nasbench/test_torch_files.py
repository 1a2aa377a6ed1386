"""Files of torch.save in both forms, read without torch."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from darts.errors import UserError
from darts.nasbench.torch_files import begins_legacy, read_torch_legacy, read_torch_zip

FORMS = (True, False)


def load(path: Path, new: bool) -> Any:
    if new:
        return read_torch_zip(path, "file")
    with path.open("rb") as stream:
        assert begins_legacy(stream, "file")[1]
        return read_torch_legacy(stream, "file", path.stat().st_size)


def save(value: Any, path: Path, new: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=new)
    return path


@pytest.mark.parametrize("new", FORMS)
def test_tensors_become_arrays(new: bool, tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    value = OrderedDict(
        base=base,
        view=base[1, :, ::2],
        transposed=base.transpose(0, 2),
        scalar=torch.tensor(3, dtype=torch.int64),
        empty=torch.zeros(0, 5),
        half=torch.tensor([0.5], dtype=torch.float16),
        flags=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.ones(2)),
        plain={"acc": [1.5, "text"], "size": torch.Size([1, 2])},
    )
    found = load(save(value, tmp_path / "file", new), new)
    assert list(found) == list(value)
    for name in ("base", "view", "transposed", "scalar", "empty", "half", "flags", "parameter"):
        expected = value[name].detach().numpy()
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype
        assert found[name].shape == expected.shape
    assert found["plain"] == {"acc": [1.5, "text"], "size": (1, 2)}


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("new", FORMS)
def test_a_hostile_file_is_refused_and_nothing_runs(new: bool, tmp_path: Path) -> None:
    path = save({"a": torch.ones(1), "b": Hostile(tmp_path / "mark")}, tmp_path / "file", new)
    with pytest.raises(UserError, match="system"):
        load(path, new)
    assert not (tmp_path / "mark").exists()


def hostile_tensor(path: Path, offset: int, shape: tuple, strides: tuple, count: int = 4) -> Path:
    """A zip file whose tensor lies outside of its storage."""

    class Tensor:
        def __reduce__(self) -> Any:
            storage = Storage()
            arguments = (storage, offset, shape, strides, False, OrderedDict())
            return torch._utils._rebuild_tensor_v2, arguments

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            if isinstance(value, Storage):
                return ("storage", torch.FloatStorage, "0", "cpu", count)
            return None

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(Tensor())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        archive.writestr("archive/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


def test_the_made_up_tensor_is_valid_within_its_storage(tmp_path: Path) -> None:
    found = read_torch_zip(hostile_tensor(tmp_path / "f", 1, (3,), (1,)), "file")
    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("offset", "shape", "strides", "count"),
    [
        (2, (3,), (1,), 4),
        (0, (2, 3), (4, 1), 4),
        (-1, (2,), (1,), 4),
        (3, (2,), (-1,), 4),
        (0, (2, 2), (10**18, 1), 4),
        (0, (-1,), (1,), 4),
        (0, (2,), (1, 1), 4),
        (0, (4,), (1,), 400),
    ],
)
def test_a_tensor_outside_of_its_storage_is_refused(
    offset: int, shape: tuple, strides: tuple, count: int, tmp_path: Path
) -> None:
    path = hostile_tensor(tmp_path / "f", offset, shape, strides, count)
    with pytest.raises(UserError, match="cannot be read"):
        read_torch_zip(path, "file")


@pytest.mark.parametrize("new", FORMS)
def test_a_file_that_is_cut_off_is_an_error_for_people(new: bool, tmp_path: Path) -> None:
    path = save({"a": torch.ones(1000)}, tmp_path / "file", new)
    data = path.read_bytes()
    for length in (len(data) // 2, len(data) - 100):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(UserError, match="file"):
            load(tmp_path / "cut", new)


def test_another_zip_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("table.csv", "a,b")
    with pytest.raises(UserError, match=r"not written by torch\.save"):
        read_torch_zip(tmp_path / "f.zip", "file")


def test_an_archive_with_a_damaged_name_is_an_error_for_people(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archivé/data.pkl", b"")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xf8\xf8"))
    with pytest.raises(UserError, match="this zip archive cannot be read"):
        read_torch_zip(path, "file")
