"""The command `score`: training-free scores of networks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError, closest
from darts.proxies.catalogue import SCORES
from darts.proxies.options import ScoreOptions

if TYPE_CHECKING:
    from darts.nasbench.table import AccuracyTable
    from darts.proxies.correlation import ScoreCorrelation
    from darts.proxies.study import ScoredNetwork
    from darts.statistics.interval import Interval


def score_command(arguments: Sequence[str], prog: str) -> None:
    """Score models and sampled cells at initial weights, beside parameters and multiply-adds."""
    parser = _parser(prog)
    parsed = parser.parse_args(arguments)
    if parsed.list:
        rows = [("score", "paper", "about")]
        print_table(rows + [(name, one.paper, one.summary) for name, one in SCORES.items()])
        return
    values = {
        field.name: getattr(parsed, field.name)
        for field in fields(ScoreOptions)
        if field.name not in ("models", "scores")
    }
    scores = tuple(name.strip() for name in (parsed.scores or "").split(",") if name.strip())
    options = ScoreOptions(models=tuple(parsed.models), scores=scores, **values)
    options.check()
    columns = ("params", "macs", *(scores or SCORES))
    if parsed.sort is not None and parsed.sort not in columns:
        raise UserError(
            f"--sort {parsed.sort}: there is no such column.{closest(parsed.sort, columns)} "
            f"Columns are {', '.join(columns)}."
        )
    from darts.proxies.study import score_networks, scores_as_dict, write_scores

    table = _open_table(parsed.table)
    networks = score_networks(options, out=parsed.output, on_network=_show_progress)
    if parsed.sort is not None:
        networks.sort(key=lambda one: -one.mean(parsed.sort))
    correlations: list[ScoreCorrelation] = []
    more: dict[str, Any] = {}
    if table is not None:
        from darts.proxies.correlation import correlate_scores

        correlations = correlate_scores(networks, table, options.seed)
        more["table"] = {"path": str(table.path), "dataset": table.dataset}
        more["correlations"] = [one.as_dict() for one in correlations]
    if parsed.output is not None:
        write_scores(parsed.output, options, networks, more)
    if parsed.json:
        print(json.dumps(scores_as_dict(options, networks, more)))
        return
    _print_networks(networks)
    if table is not None:
        _print_correlations(correlations, table)


def _parser(prog: str) -> Arguments:
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Score networks without training them, at random initial weights, beside their "
        "parameters and multiply-adds.",
    )
    add = parser.add_argument
    add(
        "models",
        nargs="*",
        metavar="MODEL",
        help="genotype (published name, YAML file, or cell of NAS-Bench-201), or a network: "
        "regnetx_400mf",
    )
    add("--sample", type=int, default=0, metavar="N", help="score N sampled cells in addition")
    add("--space", default="darts", help="space of sampled cells: a name or a YAML file")
    add("--nodes", type=int, help="inner nodes of sampled cells; by default 4")
    add(
        "--no-dead-edges",
        action="store_true",
        help="of nasbench201, sample only cells all of whose operations have an effect",
    )
    add("--scores", metavar="A,B", help=f"by default all: {','.join(SCORES)}")
    add("--list", action="store_true", help="list the scores and their sources, and end")
    add("--dataset", help="data set of the images, as in search.py; by default normal noise")
    add("--data-dir", help="directory of the data sets")
    add("--batch", type=int, default=32, help="number of images; by default 32")
    add("--seeds", type=int, default=1, help="initial weights of each network; by default 1")
    add("--seed", type=int, default=0, help="seed of cells, images and first weights")
    add(
        "--init",
        choices=("framework", "toolkit"),
        default="framework",
        help="initial weights: torch's default distribution, or that of a training",
    )
    add("--setting", dest="stem", choices=("cifar", "imagenet"), help="stem and sizes")
    add("--channels", type=int, help="channels of a genotype's network")
    add("--layers", type=int, help="cells of a genotype's network")
    add("--classes", type=int, help="number of classes")
    add("--resolution", type=int, help="side of the images in pixels")
    add("--sort", metavar="COLUMN", help="sort by a score, params or macs, largest first")
    add(
        "--table",
        metavar="FILE",
        help="table of known accuracies (see benchmark nasbench201): correlate all scores with it",
    )
    add("--json", action="store_true")
    add(
        "-o",
        "--output",
        type=Path,
        help="JSON file, written after each network; the same command continues it",
    )
    return parser


def _open_table(path: str | None) -> AccuracyTable | None:
    if path is None:
        return None
    from darts.nasbench.reading import read_table

    table = read_table(path)
    for note in table.notes:
        print(f"{path}: {note}", file=sys.stderr)
    return table


def _show_progress(number: int, total: int, network: ScoredNetwork) -> None:
    if total > 1:
        print(f"{number}/{total} {network.name}", file=sys.stderr, flush=True)


def _print_networks(networks: Sequence[ScoredNetwork]) -> None:
    names = tuple(networks[0].values)
    rows = [("model", "params", "macs", *names)]
    for one in networks:
        rows.append(
            (one.name, f"{one.params:,}", f"{one.macs:,}", *(_shown(one, name) for name in names))
        )
    print_table(rows)


def _print_correlations(correlations: Sequence[ScoreCorrelation], table: AccuracyTable) -> None:
    print(f"\nRank correlations with the accuracies of {table.path} ({table.dataset}).")
    print("[ ]: 95 % interval; top: the tenth with the highest accuracy.")
    rows = [("score", "accuracy", "n", "Spearman", "Kendall", "n top", "Spearman top")]
    for one in correlations:
        whole, top = one.overall, one.top
        rows.append(
            (
                one.score,
                one.accuracy,
                str(whole.n),
                _interval(whole.spearman),
                _interval(whole.kendall),
                str(top.n),
                _interval(top.spearman),
            )
        )
    print_table(rows)


def _interval(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{found.middle:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _shown(network: ScoredNetwork, name: str) -> str:
    from darts.proxies.score import UNDEFINED

    mean, deviation = network.mean(name), network.deviation(name)
    if mean == UNDEFINED:
        return "–"
    return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"
