"""Record the golden trajectories of this processor and this PyTorch.

    python -m tests.golden.record            # a processor without records
    python -m tests.golden.record --replace  # again, where results are meant to change
    python -m tests.golden.record --methods  # the searches of all methods and spaces

Run it from the root of the repository, before the change that the records are to judge. Records of
other processors stay as they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Record all cases under the key of this machine."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replace", action="store_true", help="overwrite the records of this key")
    parser.add_argument("--methods", action="store_true", help="the searches of all methods")
    parsed = parser.parse_args()
    replace = parsed.replace
    # Before torch is loaded, and as the tests have it.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MPLBACKEND"] = "agg"
    if parsed.methods:
        record_methods(replace)
        return
    from tests.golden.trajectories import CASES, FILE, load_records, save_records, this_key

    key, records = this_key(), load_records()
    if key in records and not replace:
        sys.exit(f"{FILE} has records of {key}. To overwrite them: --replace.")
    records[key] = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as directory:
            records[key][name] = case.record(Path(directory))
    save_records(records)
    print(f"{FILE}: {len(CASES)} cases of {key}")


def record_methods(replace: bool) -> None:
    """Record the searches of all methods, mixtures of parts and spaces."""
    if shutil.which("c++"):
        os.environ.setdefault("DARTS_BACKEND", "native")
    from tests.golden import methods

    key, records = methods.this_key(), methods.load_records()
    if key in records and not replace:
        sys.exit(f"{methods.FILE} has records of {key}. To overwrite them: --replace.")
    records[key] = {}
    for name in methods.CASES:
        with tempfile.TemporaryDirectory() as directory:
            methods.search(name, Path(directory) / "run")
            records[key][name] = methods.record_of(Path(directory) / "run")
    methods.save_records(records)
    print(f"{methods.FILE}: {len(methods.CASES)} cases of {key}")


if __name__ == "__main__":
    main()
