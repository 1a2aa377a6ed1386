"""Whether `python -m darts fit` keeps its budget, also when it is killed again and again.

    python benchmarks/fit.py [DATA] [--budget 90] [--kills 3] [--rounds 1] [--threads 1]

The command is killed (SIGKILL) at random moments and started again until it ends. Printed are the
seconds that its processes ran in all, their share of the budget, and the outcome.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--budget", type=int, default=90, help="seconds")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parsed = parser.parse_args()
    moments = random.Random(parsed.seed)
    for _ in range(parsed.rounds):
        with tempfile.TemporaryDirectory() as folder:
            spent = []
            command = [sys.executable, "-m", "darts", "fit", parsed.data]
            command += ["--budget", f"{parsed.budget}s", "--out", f"{folder}/fit", "--json"]
            command += ["--threads", str(parsed.threads)]
            for number in range(parsed.kills + 1):
                whole = parsed.budget / (parsed.kills + 1)
                limit = None if number == parsed.kills else moments.uniform(0.4, 1.2) * whole
                begun = time.monotonic()
                process = subprocess.Popen(
                    command,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                try:
                    text, said = process.communicate(timeout=limit)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    text = ""
                spent.append(time.monotonic() - begun)
                if text:
                    break
            if not text:
                sys.exit(said)
            total = sum(spent)
            outcome = json.loads(text)
            print(
                f"{len(spent)} processes, {', '.join(f'{one:.0f}' for one in spent)} s: "
                f"{total:.0f} s in all, {100 * total / parsed.budget:.0f} % of the budget; "
                f"its own count {outcome['seconds']:.0f} s; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
            print(outcome["headline"], flush=True)


if __name__ == "__main__":
    main()
