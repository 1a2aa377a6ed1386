"""Searches, retrainings and populations compute what they always did, bit for bit.

On a processor that is recorded (see record.py) every logged number and every bit of the checkpoint
must be equal. On any other one, sums are rounded in another order: the numbers must agree with a
recorded processor's to a tolerance by precision.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from .trajectories import CASES, RECORD, processor, run_case

KNOWN = json.loads(RECORD.read_text())


@pytest.mark.parametrize("case", CASES)
def test_a_run_computes_what_it_always_did(case: str, tmp_path: Path) -> None:
    found = run_case(case, tmp_path)
    if processor() in KNOWN:
        expected = KNOWN[processor()][case]
        for part in ("metrics", "architecture", "size", "digest"):
            assert found[part] == expected[part], f"{part} of {case}"
        return
    tolerance = 1e-6 if "fp64" in case else 2e-2
    expected = next(iter(KNOWN.values()))[case]
    for part in ("metrics", "architecture"):
        assert len(found[part]) == len(expected[part])
        for one, other in zip(found[part], expected[part], strict=True):
            if isinstance(other, str):
                assert one == other
            elif "fp64" in case or part == "architecture":
                assert math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance), part
    assert math.isclose(found["size"], expected["size"], rel_tol=tolerance)
