"""Read what `torch.save` has written, without torch: tensors become arrays.

Two forms exist. Since torch 1.6 a file is a zip archive with `NAME/data.pkl` and one member
`NAME/data/KEY` per storage. Before, it was a row of pickles: a magic number, a version, the
machine, the value, and the keys of the storages, followed by their data.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from darts.errors import UserError
from darts.nasbench.unpickler import Maker, unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file in torch's old form."""

_TYPES = {
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
_STORAGES = {
    f"torch.{device}{name}Storage": Maker(lambda *_: None)
    for name in _TYPES
    for device in ("", "cuda.")
}
_DTYPES = {
    storage: np.dtype(_TYPES[full.split(".")[-1].removesuffix("Storage")])
    for full, storage in _STORAGES.items()
}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> np.ndarray:
    """A view `shape` of a storage; the strides count elements."""
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    last = int(offset) + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    inside = min((0, int(offset), *shape, *strides)) >= 0
    if not isinstance(storage, np.ndarray) or not inside:
        raise pickle.UnpicklingError("a tensor without a storage")
    if math.prod(shape) == 0:
        return np.zeros(shape, storage.dtype)
    if last >= len(storage):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    steps = tuple(step * storage.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(storage[int(offset) :], shape, steps, writeable=False)


_MORE: Mapping[str, Any] = {
    **_STORAGES,
    "torch._utils._rebuild_tensor": Maker(_tensor),
    "torch._utils._rebuild_tensor_v2": Maker(_tensor),
    "torch._utils._rebuild_parameter": Maker(lambda data, *_: data),
    "torch.Size": Maker(tuple),
}


def _parts(identifier: Any) -> tuple[np.dtype, str, int]:
    """Element type, key and number of elements in ("storage", type, key, device, number, …)."""
    kind, storage, key, _, count = identifier[:5]
    if kind != "storage" or storage not in _DTYPES or not isinstance(count, int) or count < 0:
        raise pickle.UnpicklingError("an unknown kind of storage")
    return _DTYPES[storage], str(key), count


def read_torch_zip(path: Path, where: str) -> Any:
    """The value of a file in torch's present form.

    Raises:
        UserError: The archive is damaged, or holds more than plain values and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            main = next((name for name in names if name.split("/")[1:] == ["data.pkl"]), None)
            if main is None:
                raise UserError(f"{where}: this zip archive was not written by torch.save.")
            folder = main.removesuffix("data.pkl")
            known: dict[str, np.ndarray] = {}

            def storage(identifier: Any) -> np.ndarray:
                dtype, key, count = _parts(identifier)
                if key not in known:
                    place = f"{folder}data/{key}"
                    if archive.getinfo(place).file_size > (count + 1) * dtype.itemsize:
                        raise pickle.UnpicklingError("a storage is larger than it says")
                    data = archive.read(place)
                    known[key] = np.frombuffer(data, dtype, count=count)
                return known[key]

            with archive.open(main) as stream:
                return unpickle(stream, where, more=_MORE, storages=storage)
    except UserError:
        raise
    except Exception as error:  # A damaged archive raises whatever its bytes lead to.
        raise UserError(f"{where}: this zip archive cannot be read: {error}.") from None


def read_torch_legacy(stream: IO[bytes], where: str, size: int) -> Any:
    """The value of a file in torch's old form, after its magic number.

    Args:
        stream: Just behind the first pickle.
        where: Name of the file for messages.
        size: Bytes of the file, which no storage can exceed.

    Raises:
        UserError: The file is damaged, or holds more than plain values and tensors.
    """
    storages: OrderedDict[str, np.ndarray] = OrderedDict()

    def storage(identifier: Any) -> np.ndarray:
        dtype, key, count = _parts(identifier)
        if key not in storages:
            if count * dtype.itemsize > size:
                raise pickle.UnpicklingError("a storage is larger than the file")
            storages[key] = np.zeros(count, dtype)
        return storages[key]

    unpickle(stream, where)  # Version of the form.
    unpickle(stream, where)  # Byte order and sizes of the machine.
    value = unpickle(stream, where, more=_MORE, storages=storage)
    for key in unpickle(stream, where):
        array = storages.get(str(key))
        head = stream.read(8)
        count = int.from_bytes(head, "little", signed=True)
        data = b"" if array is None else stream.read(array.nbytes)
        if array is None or count != len(array) or len(data) != array.nbytes:
            raise UserError(f"{where}: the data of a tensor are missing or cut off.")
        array[:] = np.frombuffer(data, array.dtype)
    return value


def begins_legacy(stream: io.BufferedReader | IO[bytes], where: str) -> tuple[Any, bool]:
    """The first pickle of a stream, and whether it is the magic number of torch's old form."""
    first = unpickle(stream, where)
    return first, type(first) is int and first == LEGACY_MAGIC
