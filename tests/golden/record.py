"""Record the golden trajectories of this processor: python -m tests.golden.record [--replace].

Only a processor or a version of torch that is new needs this. Where a recorded trajectory differs,
a change of the code changed results: that is a defect, or a decision to name in the changelog.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.golden.trajectories import CASES, RECORD, processor, run_case


def main() -> int:
    known = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    if processor() in known and "--replace" not in sys.argv:
        print(f"error: {processor()} is recorded; --replace records it again.", file=sys.stderr)
        return 2
    cases = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            cases[case] = run_case(case, Path(folder))
    known[processor()] = cases
    lines = ",\n".join(
        f" {json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(case)}: {json.dumps(one)}" for case, one in cases.items())
        + "\n }"
        for name, cases in known.items()
    )
    RECORD.write_text(f"{{\n{lines}\n}}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
