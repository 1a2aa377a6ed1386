"""Reading `.safetensors` files: the format is small, so no package is needed.

    8 bytes   length N of the header, unsigned, little-endian
    N bytes   header: JSON, {name: {"dtype": …, "shape": […], "data_offsets": [begin, end]}, …}
    rest      the tensors' bytes, little-endian, row by row; offsets count from here

A file that breaks a rule of the format is refused: offsets must cover the data exactly, without
overlaps and holes, and each tensor must have as many bytes as its type and shape say. Source: the
description of the format in huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from darts.errors import UserError

LARGEST_HEADER = 100_000_000
"""Bytes of the largest header that the format allows."""

_DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)
_LONGEST_NAME = 500


def tensors_of_safetensors(data: bytes, path: Path | str) -> dict[str, Tensor]:
    """The tensors of a file's content, by name.

    >>> header = b'{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    >>> data = len(header).to_bytes(8, "little") + header + bytes(8)
    >>> tensors_of_safetensors(data, "example")
    {'x': tensor([0., 0.])}

    Args:
        data: The whole file.
        path: Its name, for messages.

    Raises:
        UserError: The file is damaged, or has numbers of a type that torch lacks.
    """
    if len(data) < 8:
        raise _damaged(path, f"it has only {len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > LARGEST_HEADER:
        raise _damaged(path, f"its header would have {length:,} bytes")
    if length > len(data) - 8:
        raise _damaged(path, f"its header of {length:,} bytes is cut off")
    entries = _header(data[8 : 8 + length], path)
    body = memoryview(data)[8 + length :]
    end, found = 0, {}
    for name, (dtype, shape, begin, stop) in sorted(entries.items(), key=lambda e: e[1][2:]):
        if begin != end:
            raise _damaged(path, f"{_shown(name)} {'overlaps with' if begin < end else 'is not'} "
                           "right behind the tensor before it")  # fmt: skip
        if stop > len(body):
            raise _damaged(path, f"{_shown(name)} is cut off")
        end, found[name] = stop, _tensor(body[begin:stop], dtype, shape)
    if end != len(body):
        raise _damaged(path, f"{len(body) - end:,} bytes at its end belong to no tensor")
    return {name: found[name] for name in entries}


_Entry = tuple[torch.dtype, list[int], int, int]


def _header(text: bytes, path: Path | str) -> dict[str, _Entry]:
    """The entries of the header: type, shape, begin and end of each tensor."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is not the JSON that it should be ({error})") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    header.pop("__metadata__", None)
    return {name: _entry(name, value, path) for name, value in header.items()}


def _entry(name: str, value: Any, path: Path | str) -> _Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{_shown(name)} needs dtype, shape and data_offsets, nothing else")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise UserError(
            f"{path}: {_shown(name)} has numbers of the type {_shown(dtype)}; read are "
            f"{', '.join(_DTYPES)}."
        )
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise _damaged(path, f"shape or offsets of {_shown(name)} are no whole numbers")
    begin, end = offsets
    size = math.prod(shape) * _DTYPES[dtype].itemsize
    if end - begin != size:
        raise _damaged(path, f"{_shown(name)} has {end - begin:,} bytes instead of {size:,}")
    return _DTYPES[dtype], shape, begin, end


def _tensor(data: memoryview, dtype: torch.dtype, shape: list[int]) -> Tensor:
    if not data:
        return torch.empty(shape, dtype=dtype)
    # A copy, because places in the file need not be multiples of the number's size.
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def _are_counts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 16
        and all(type(number) is int and 0 <= number < 2**48 for number in value)
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _shown(name: Any) -> str:
    return repr(name)[:_LONGEST_NAME]


def _damaged(path: Path | str, problem: str) -> UserError:
    return UserError(f"{path} is no sound safetensors file: {problem}. Download it again.")
