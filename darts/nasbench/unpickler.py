"""Read pickles of strangers: only plain values, containers and arrays can be built.

`pickle.load` runs what a file tells it to run. Here every global that a pickle names is looked up
in the table `_MAKERS`, whose entries are this module's own functions for plain containers and
arrays; any other name ends the reading before anything is called. Object arrays are refused, and
shapes are checked against the data, so that no input can read or write foreign memory.
"""

from __future__ import annotations

import gc
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from darts.errors import UserError

_LEAST, _FACTOR = 2**29, 100  # Bytes of memory for a pickle, and for each of its bytes.
_KINDS = "biufcSU"  # Kinds of numpy.dtype that hold no Python objects.


class Maker:
    """A function that a pickle may call. Its instances cannot be changed by a pickle.

    Args:
        make: What is called.
    """

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._make(*arguments, **keywords)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise pickle.UnpicklingError("a pickle may not change functions")

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a pickle may not change functions")


class _ElementType:
    """Stands for a `numpy.dtype` while a pickle is read."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in _KINDS or self.dtype.fields is not None:
            raise pickle.UnpicklingError(f"an array of {code!r} is not plain numbers or text")

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, sub-array, names, fields, size, alignment, flags)
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("an element type with parts is not supported")
        if state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


class _PlainArray(np.ndarray):
    """An array whose state is checked before numpy takes it over."""

    def __setstate__(self, state: Any) -> None:
        version, shape, kind, fortran, data = state
        if not isinstance(kind, _ElementType) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("an array of Python objects is not supported")
        plain: Any = (version, tuple(shape), kind.dtype, bool(fortran), data)
        super().__setstate__(plain)


_ARRAY = Maker(lambda *_: None)  # Only marks the type `numpy.ndarray` among arguments.


def _make_array(kind: Any, *_: Any) -> np.ndarray:
    if kind is not _ARRAY:
        raise pickle.UnpicklingError("a subclass of an array is not supported")
    return np.empty(0, np.uint8).view(_PlainArray)


def _make_scalar(kind: Any, data: Any = b"") -> Any:
    if not isinstance(kind, _ElementType) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a number of an unknown type")
    return np.frombuffer(data, kind.dtype, count=1)[0].item()


def _make_from_buffer(data: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """How protocol 5 writes an array whose data lie in one piece."""
    if not isinstance(kind, _ElementType) or not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array of an unknown type")
    flat = np.frombuffer(data, kind.dtype)
    if order == "K" and axes is not None:
        return flat.reshape(shape).transpose(axes)
    return flat.reshape(shape, order=order)


def _make_bytes(text: Any, encoding: Any = "latin1") -> bytes:
    """Old protocols write bytes as text with an encoding."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes in an unknown encoding")
    return text.encode("latin-1")


_FROM_BUFFER = Maker(_make_from_buffer)
_MAKERS: Mapping[str, Maker] = {
    "collections.OrderedDict": Maker(OrderedDict),
    "builtins.set": Maker(set),
    "__builtin__.set": Maker(set),
    "builtins.frozenset": Maker(frozenset),
    "__builtin__.frozenset": Maker(frozenset),
    "_codecs.encode": Maker(_make_bytes),
    # Without arguments only: empty bytes in old protocols.
    "builtins.bytes": Maker(lambda: b""),
    "__builtin__.bytes": Maker(lambda: b""),
    "numpy.dtype": Maker(_ElementType),
    "numpy.ndarray": _ARRAY,
    **{
        f"numpy.{core}.multiarray.{name}": maker
        for core in ("core", "_core")
        for name, maker in (
            ("_reconstruct", Maker(_make_array)),
            ("scalar", Maker(_make_scalar)),
        )
    },
    "numpy.core.numeric._frombuffer": _FROM_BUFFER,
    "numpy._core.numeric._frombuffer": _FROM_BUFFER,
}


class RestrictedUnpickler(pickle.Unpickler):
    """Builds plain values, containers and arrays, and refuses everything else.

    >>> import io
    >>> stream = io.BytesIO(pickle.dumps({"acc": [93.5, np.float64(91.0)]}))
    >>> RestrictedUnpickler(stream, "cells.pickle").load()
    {'acc': [93.5, 91.0]}

    Args:
        stream: Where the pickle is.
        where: Name of the file for messages.
        more: Further names that are allowed, with what they make.
        storages: What a persistent identifier stands for; by default there are none.

    Raises:
        UserError: The pickle names anything else; the message says what.
    """

    def __init__(
        self,
        stream: IO[bytes],
        where: str,
        more: Mapping[str, Any] | None = None,
        storages: Callable[[Any], Any] | None = None,
    ) -> None:
        # Python 2's text stays readable; it is ASCII in the benchmark's files.
        super().__init__(stream, encoding="latin1")
        self._where, self._more, self._storages = where, more or {}, storages

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for."""
        full = f"{module}.{name}"
        if full in _MAKERS:
            return _MAKERS[full]
        if full in self._more:
            return self._more[full]
        raise UserError(
            f"{self._where}: this pickle asks for {full!r}, which a table of accuracies does not "
            "need. It was not run. Only plain values, containers and arrays are read: get the "
            "file from its publisher again, or convert it to CSV where you trust it."
        )

    def persistent_load(self, identifier: Any) -> Any:
        """What an identifier in the pickle stands for."""
        if self._storages is None:
            raise pickle.UnpicklingError("it refers to data outside of the pickle")
        return self._storages(identifier)


@contextmanager
def _little_memory(stream: IO[bytes]) -> Iterator[None]:
    """Let the process take only as much more memory as a pickle of this length can need.

    A damaged one of ten bytes can ask for a memo of 64 GB, which `pickle` fills with zeros before
    it looks any further. Where the system knows no such limit (Windows, macOS), there is none.
    """
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        begin = stream.tell()
        length = stream.seek(0, os.SEEK_END) - begin
        stream.seek(begin)
        before = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        yield
        return
    limits = [
        taken + _LEAST + _FACTOR * length,
        *(n for n in before if n != resource.RLIM_INFINITY),
    ]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def unpickle(stream: IO[bytes], where: str, **settings: Any) -> Any:
    """The value of the next pickle in `stream`; see `RestrictedUnpickler`.

    Raises:
        UserError: The pickle is damaged, or names what is not allowed.
    """
    collecting = gc.isenabled()
    gc.disable()  # Nothing becomes garbage here, and looking for it would take most of the time.
    try:
        with _little_memory(stream):
            return RestrictedUnpickler(stream, where, **settings).load()
    except UserError:
        raise
    except Exception as error:  # A damaged pickle raises whatever its bytes lead to.
        reason = str(error) or type(error).__name__
        raise UserError(f"{where}: this pickle cannot be read: {reason}.") from None
    finally:
        if collecting:
            gc.enable()
