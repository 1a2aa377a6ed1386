"""The command `compare`, which is also `evaluate.py --baseline`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darts.compare.options import CompareOptions, compare_overlay
from darts.run_files import RunFiles
from darts.settings.parsing import parse_options
from darts.trials.schema import TRIALS_FILE


def compare_command(arguments: Sequence[str], prog: str) -> None:
    """Compare a genotype with populations of networks, print the result and write a report."""
    options = parse_options(CompareOptions, _joined(arguments), prog=prog, overlay=compare_overlay)
    from darts import api

    compared = api.run_comparison(options)
    from darts.compare.report import comparison_text

    print(comparison_text(compared.comparison))
    print(f"report  {RunFiles(compared.path).report}")


def asks_for_comparison(arguments: Sequence[str]) -> bool:
    """Return whether arguments of `evaluate` name populations, or a comparison to resume.

    >>> asks_for_comparison(["--genotype", "darts_v2", "--baseline", "regnetx", "anynetx_a"])
    True
    >>> asks_for_comparison(["--genotype", "darts_v2"])
    False
    """
    flags = [argument.partition("=")[0] for argument in arguments]
    if "--baseline" in flags or "--population" in flags:
        return True
    if "--resume" not in flags:
        return False
    # The directory follows as `--resume=DIRECTORY` or as the next argument.
    place = flags.index("--resume")
    following = [*arguments[place + 1 : place + 2], ""]
    directory = arguments[place].partition("=")[2] or following[0]
    return (Path(directory) / TRIALS_FILE).is_file()


def _joined(arguments: Sequence[str]) -> list[str]:
    """Join all words that follow `--baseline` into its one value.

    >>> _joined(["--baseline", "regnetx", "anynetx_a", "--n", "20"])
    ['--baseline=regnetx anynetx_a', '--n', '20']
    """
    joined: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        joined.append(argument)
        if argument == "--baseline":
            words = []
            while rest and not rest[0].startswith("-"):
                words.append(rest.pop(0))
            joined[-1] = f"--baseline={' '.join(words)}"
    return joined
