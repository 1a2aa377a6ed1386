"""A few tries of each kind: what `make torture` does, for seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.kinds import Effort, Kind, Tally, all_kinds, shares

KINDS = [kind for kind in all_kinds().values() if kind.few]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_fault_is_found(kind: Kind, tmp_path: Path) -> None:
    tally = kind.run(Effort(kind.few, tmp_path))
    assert tally.faults == []
    assert tally.tries >= kind.few


def test_tries_are_shared_out_in_proportion() -> None:
    names = {"often": (90, True), "rarely": (10, True), "slow": (7, False)}
    kinds = [
        Kind(name, "", lambda effort: Tally(effort.cases), cases, grows=grows)
        for name, (cases, grows) in names.items()
    ]
    assert shares(kinds, 1007) == {"often": 900, "rarely": 100, "slow": 7}
    assert shares(kinds, 7) == {"often": 1, "rarely": 1, "slow": 7}
