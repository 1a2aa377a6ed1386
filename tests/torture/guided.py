"""Tries that are guided by coverage: `python -m tests.torture.guided KIND [SECONDS]`.

Needs atheris (`pip install -e '.[fuzz]'`). It keeps the inputs that reach new lines of the toolkit
and varies them. Here an input is the row of choices with which a kind makes its files, so that what
is varied stays nearly valid.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris

with atheris.instrument_imports(include=["darts", "genotypes", "ops", "cells", "yaml"]):
    import tests.darts.preloaded
    from tests.torture.kinds import all_kinds
    from tests.torture.stopping import stopping
    from tests.torture.trying import CANARY, one_try

assert tests.darts.preloaded

_LEAST = 24  # bytes of choices; libFuzzer begins with empty inputs


class Choices(Random):
    """Random numbers that begin with given bytes; when these are used up, seeded ones follow."""

    def __new__(cls, data: bytes) -> Choices:
        return super().__new__(cls)

    def __init__(self, data: bytes) -> None:
        self._data = data
        super().__init__(data)

    def getrandbits(self, k: int) -> int:
        count = (k + 7) // 8
        head, self._data = self._data[:count], self._data[count:]
        if len(head) < count:
            return super().getrandbits(k)
        return int.from_bytes(head, "little") >> (8 * count - k)

    def random(self) -> float:
        return self.getrandbits(53) / 2**53


def main() -> None:
    """Try the named kind until the time is up; a fault ends it and leaves its input in a file."""
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    make = all_kinds()[name].run.args[1]  # type: ignore[attr-defined]
    place, number = Path(tempfile.mkdtemp(prefix="torture-guided-")), 0
    os.environ[CANARY] = str(place / "canary")
    notes = (place / ".stack").open("w")

    def attempt(data: bytes) -> None:
        nonlocal number
        if len(data) < _LEAST:
            return
        number += 1
        kind, text = one_try(make, Choices(data), place / f"try-{number}", notes)
        if kind == "fault":
            raise AssertionError(f"{name}: {text}")

    faulthandler.enable()
    with stopping():
        limits = (
            f"-max_total_time={seconds}",
            "-timeout=120",
            "-rss_limit_mb=6000",
            "-max_len=400",
        )
        flags = [*limits, "-print_final_stats=1", f"-artifact_prefix={place}/"]
        atheris.Setup([sys.argv[0], *flags], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
