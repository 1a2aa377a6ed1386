"""The restricted unpickler: plain values come back, and nothing else runs."""

from __future__ import annotations

import builtins
import collections
import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darts.errors import UserError
from darts.nasbench.reading import read_table
from darts.nasbench.unpickler import Maker, unpickle

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def read(data: bytes) -> Any:
    return unpickle(io.BytesIO(data), "file")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values_come_back(protocol: int) -> None:
    value = {
        "numbers": [1, 2.5, 10**30, None, True, "text", b"\x00\xff"],
        ("cifar10", 777): collections.OrderedDict(a=(1, 2), b={3}),
        "frozen": frozenset({"a"}),
    }
    assert read(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("code", ["<f8", ">f4", "<i8", "u1", "?", "<U3", "S2", "<c8"])
def test_arrays_come_back(code: str, protocol: int) -> None:
    array = np.arange(12).reshape(3, 4).astype(code)
    for one in (array, array.T, np.asfortranarray(array), array[:0]):
        found = read(pickle.dumps(one, protocol=protocol))
        assert isinstance(found, np.ndarray)
        assert found.shape == one.shape
        assert found.tolist() == one.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_numbers_become_python_numbers(protocol: int) -> None:
    found = read(pickle.dumps([np.float64(1.5), np.float32(0.5), np.int64(7)], protocol=protocol))
    assert found == [1.5, 0.5, 7]
    assert [type(one) for one in found] == [float, float, int]


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


HOSTILE = {
    "os.system": lambda mark: Call(os.system, f"touch {mark}"),
    "eval": lambda mark: Call(eval, f"open({str(mark)!r}, 'w')"),
    "exec": lambda mark: Call(exec, f"open({str(mark)!r}, 'w')"),
    "getattr": lambda mark: Call(getattr, "", "format"),
    "open": lambda mark: Call(open, str(mark), "w"),
    "subprocess": lambda mark: Call(subprocess.call, ["touch", str(mark)]),
    "deep": lambda mark: [{"a": (1, [Call(Call, os.system, Call(os.system, f"touch {mark}"))])}],
    "in a dictionary's key": lambda mark: {("cifar10", 1): Call(os.system, f"touch {mark}")},
    "import": lambda mark: Call(builtins.__import__, "antigravity"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_nothing_runs(
    name: str, protocol: int, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / "table.pkl"
    file.write_bytes(pickle.dumps({"arch2infos": HOSTILE[name](mark)}, protocol=protocol))
    with pytest.raises(UserError, match=r"asks for '.*'.*was not run"):
        read_table(file)
    assert not mark.exists()


def test_the_refused_name_is_said(tmp_path: Path) -> None:
    for data, name in (
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"\x80\x04\x8c\x05torch\x8c\x04load\x93.", "torch.load"),
        (b"cdarts.nasbench.unpickler\nMaker\n.", "darts.nasbench.unpickler.Maker"),
        (b"(iposix\nsystem\n.", "posix.system"),
    ):
        with pytest.raises(UserError, match=name):
            read(data)


@pytest.mark.parametrize(
    "data",
    [
        # BUILD with attributes on a function of the table: it would change it for later files.
        b"ccollections\nOrderedDict\n(N(dS'_make'\nN stb.",
        b"ccollections\nOrderedDict\n}S'_make'\nI1\nsb.",
        b"ccollections\nOrderedDict\n(N}S'_make'\nI1\nstb.",
    ],
)
def test_a_pickle_cannot_change_what_it_may_call(data: bytes) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read(data)
    assert read(pickle.dumps(collections.OrderedDict(a=1))) == {"a": 1}


def test_makers_are_constant() -> None:
    with pytest.raises(pickle.UnpicklingError):
        Maker(dict)._make = list


@pytest.mark.parametrize(
    "array", [np.array([object], dtype=object), np.zeros(2, [("a", "f4"), ("b", "i4")])]
)
def test_arrays_of_objects_or_records_are_refused(array: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"cannot be read|asks for"):
        read(pickle.dumps(array))


def test_an_array_cannot_claim_more_than_its_data() -> None:
    data = pickle.dumps(np.arange(4, dtype=np.uint8), protocol=2)
    longer = data.replace(b"K\x04\x85", b"K\x64\x85")
    assert longer != data
    with pytest.raises(UserError, match="cannot be read"):
        read(longer)


@pytest.mark.parametrize("data", [b"\x80", b"\x80\x04", b"\x80\x63.", b"\x80\x04\x95\xff\xff", b""])
def test_a_damaged_pickle_is_an_error_for_people(data: bytes) -> None:
    with pytest.raises(UserError, match="file: this pickle cannot be read"):
        read(data)


def test_a_reference_to_outside_data_is_refused() -> None:
    with pytest.raises(UserError, match="outside"):
        read(b"\x80\x02X\x01\x00\x00\x00aQ.")


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_an_absurd_memo_is_refused_before_memory_is_taken() -> None:
    """Ten bytes that ask for 64 GB: the value None is to be the memo's entry 2**32 - 1."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(UserError, match="x: this pickle cannot be read: MemoryError"):
        unpickle(io.BytesIO(b"\x80\x02Nr\xff\xff\xff\xff."), "x")
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert unpickle(io.BytesIO(pickle.dumps([1, 2])), "x") == [1, 2]
