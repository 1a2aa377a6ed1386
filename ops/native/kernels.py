"""Python interface of the C++ kernels: lane layouts, argument structures and calls.

The structures mirror `Branch` and `FanOut` (call.h), `Input` and `Reader` (preprocess.cpp).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor

from ops.native import build
from ops.native.target import chosen_target

REALS = {torch.float32: "float", torch.float64: "double"}
# Kernels may over-read a tensor by up to this many elements.
SLACK = 16


class Kind(IntEnum):
    MAX_POOL = 0
    AVG_POOL = 1
    IDENTITY = 2
    REDUCE = 3
    SEPARABLE = 4
    DILATED = 5


@dataclass(frozen=True)
class Lanes:
    """Layout of the channels of E edges in vectors (lanes.h).

    Each edge owns `group` lanes: a fraction of a vector, or whole vectors.

    Attributes:
        vector: Numbers in a vector.
        channels: Channels of an edge.
        edges: E, the number of edges.
        group: Lanes of an edge.
    """

    vector: int
    channels: int
    edges: int
    group: int

    @functools.cached_property
    def block(self) -> int:
        return max(self.vector, self.group)

    @functools.cached_property
    def blocks(self) -> int:
        return -(-self.edges * self.group // self.block)

    @functools.cached_property
    def total(self) -> int:
        return self.blocks * self.block

    def macros(self, dtype: torch.dtype) -> dict[str, str]:
        return {"REAL": REALS[dtype], "VECTOR": str(self.vector), "GROUP": str(self.group)}


def choose_lanes(channels: int, edges: int, vectors: Sequence[int] | None = None) -> Lanes:
    """The layout with the fewest lanes. Ties go to the longer vectors.

    >>> lanes = choose_lanes(4, 5, vectors=(16, 8))
    >>> lanes.vector, lanes.group, lanes.total
    (8, 4, 24)

    Args:
        channels: Channels of an edge.
        edges: Edges that leave the state.
        vectors: Lengths to choose from, longest first; None for those of the chosen target.
    """

    def lanes(vector: int) -> Lanes:
        group = 2
        while group < channels and group < vector:
            group *= 2
        if group == vector:
            group = -(-channels // vector) * vector
        return Lanes(vector, channels, edges, group)

    lengths = chosen_target().vectors if vectors is None else vectors
    return min((lanes(vector) for vector in lengths), key=lambda layout: layout.total)


_Size, _Pointer = ctypes.c_int64, ctypes.c_void_p


class BranchCall(ctypes.Structure):
    _fields_ = (
        ("kind", _Size),
        ("kernel", _Size),
        ("column", _Size),
        ("weight", _Pointer * 4),
        ("gradient", _Pointer * 4),
        ("running", _Pointer * 4),
        ("z", _Pointer * 2),
        ("norm", _Pointer * 2),
    )


class FanOutCall(ctypes.Structure):
    _fields_ = (
        *((name, _Size) for name in ("batch", "height", "width", "channels", "stride")),
        *((f"lane_{name}", _Size) for name in ("channels", "edges", "group", "block", "blocks")),
        *((name, _Size) for name in ("columns", "branches", "training", "threads")),
        ("eps", ctypes.c_double),
        ("momentum", ctypes.c_double),
        ("branch", ctypes.POINTER(BranchCall)),
        *((name, _Pointer) for name in ("order", "place", "mixture", "passing", "state", "x")),
        ("target", ctypes.POINTER(_Pointer)),
        ("assign", _Size),
        *((name, _Pointer) for name in ("base", "d_state", "d_mixture", "d_passing")),
    )


class InputCall(ctypes.Structure):
    _fields_ = (
        *((name, _Size) for name in ("batch", "height", "width", "channels", "pieces")),
        *((name, _Size) for name in ("training", "threads")),
        ("x", ctypes.POINTER(_Pointer)),
        ("dx", ctypes.POINTER(_Pointer)),
    )


class ReaderCall(ctypes.Structure):
    _fields_ = (
        *((name, _Size) for name in ("outputs", "parts")),
        ("eps", ctypes.c_double),
        ("momentum", ctypes.c_double),
        ("weight", _Pointer * 2),
        ("gradient", _Pointer * 2),
        ("running", _Pointer * 2),
        *((name, _Pointer) for name in ("y", "inverse", "dy")),
    )


def addresses(tensors: Iterable[Tensor | None], count: int | None = None) -> Any:
    """An array of `count` pointers (default: one per tensor); None becomes a null pointer."""
    values = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
    return (_Pointer * (len(values) if count is None else count))(*values)


def prepare_kernels(layouts: Iterable[Lanes], dtype: torch.dtype) -> None:
    """Compile and load all kernels that cells with these layouts need.

    Raises:
        BuildError: The kernels cannot be compiled or loaded on this machine.
    """
    needed = _needed(layouts, dtype)
    build.compile_missing(needed)
    for source, macros in needed:
        _library(source, tuple(macros.items()), chosen_target().name)


def kernels_are_built(layouts: Iterable[Lanes], dtype: torch.dtype) -> bool:
    """Whether all kernels that cells with these layouts need have been compiled before.

    Raises:
        BuildError: There is no compiler.
    """
    return build.is_built(_needed(layouts, dtype))


def _needed(layouts: Iterable[Lanes], dtype: torch.dtype) -> list[tuple[str, dict[str, str]]]:
    """Source file and macros of each library."""
    needed = [("fan_out.cpp", lanes.macros(dtype)) for lanes in layouts]
    return [*needed, ("preprocess.cpp", {"REAL": REALS[dtype]})]


@functools.cache
def _library(source: str, macros: tuple[tuple[str, str], ...], target: str) -> ctypes.CDLL:
    library = build.load_library(source, dict(macros))
    stem = source.removesuffix(".cpp")
    for function in (f"{stem}_forward", f"{stem}_backward"):
        if not hasattr(library, function):
            raise build.BuildError(f"The library of {source} lacks {function}.")
    return library


def run_fan_out(call: FanOutCall, lanes: Lanes, dtype: torch.dtype, *, backward: bool) -> None:
    library = _library("fan_out.cpp", tuple(lanes.macros(dtype).items()), chosen_target().name)
    function = library.fan_out_backward if backward else library.fan_out_forward
    function(ctypes.byref(call))


def run_preprocess(
    call: InputCall, readers: Sequence[ReaderCall], dtype: torch.dtype, *, backward: bool
) -> None:
    library = _library("preprocess.cpp", (("REAL", REALS[dtype]),), chosen_target().name)
    function = library.preprocess_backward if backward else library.preprocess_forward
    function(ctypes.byref(call), (ReaderCall * len(readers))(*readers), _Size(len(readers)))
