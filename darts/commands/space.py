"""Commands of design spaces (RegNet): `space sample`, `train`, `show` and `analyse`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darts.commands.help_pages import POPULATION
from darts.commands.shared import FIT_TRAINING, Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.design_space.sampling import Sample
    from darts.trials.store import Trial


_RANGES = {
    "depth": "blocks of a RegNet or of a stage: 20, or 16,20, or 12-28",
    "bottleneck": "bottleneck ratios b: 1, or 1,2,4; 0.25 is an inverted bottleneck",
    "group-width": "group widths g",
    "w0": "initial widths of RegNets",
    "wa": "slopes of RegNets",
    "wm": "width ratios of RegNets: 2, or 2-3",
}


def space_sample_command(arguments: Sequence[str], prog: str) -> None:
    """Sample networks of a space, print their costs and write their files."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Sample networks of a space within a range of costs.",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file with any of these settings; flags win"
    )
    parser.add_argument("--space", default="regnetx", help="regnetx, anynetx_a to anynetx_e …")
    parser.add_argument("--n", type=int, default=20, help="number of networks")
    parser.add_argument("--macs", help="multiply-adds: 360M-400M, or one number ± 5 %%")
    parser.add_argument(
        "--like", metavar="GENOTYPE", help="multiply-adds of this genotype's network ± 5 %%"
    )
    parser.add_argument("--channels", type=int, help="channels of the network of --like")
    parser.add_argument("--layers", type=int, help="cells of the network of --like")
    parser.add_argument("--max-params", help="largest number of parameters: 5M")
    parser.add_argument("--max-activations", help="largest number of activations: 10M")
    parser.add_argument("--stages", type=int, default=4, help="number of stages")
    parser.add_argument("--stem-width", type=int, default=32, help="channels of the stem")
    parser.add_argument(
        "--constrained", action="store_true", help="RegNets with b = 1, d <= 40, w_m >= 2 (§4)"
    )
    for name, what in _RANGES.items():
        parser.add_argument(f"--{name}", metavar="RANGE", help=what)
    parser.add_argument("--tie-wa", action="store_true", help="RegNets with w_a = w_0 (Fig. 9)")
    parser.add_argument("--resolution", type=int, default=224, help="side of the images in pixels")
    parser.add_argument(
        "--stem", choices=("auto", "cifar", "imagenet"), default="auto", help="by image size"
    )
    parser.add_argument("--classes", type=int, help="by default 1000, or 10 with the stem cifar")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--json", action="store_true", help="print one JSON object per network")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write one YAML file per network"
    )
    parsed = parser.parse_args(arguments)
    from darts.design_space.options import SpaceOptions

    if parsed.config is not None:
        parser.set_defaults(**_settings_in(parsed.config, SpaceOptions))
        parsed = parser.parse_args(arguments)
    from darts.design_space.sampling import sample_population
    from darts.models.derived import SETTINGS
    from darts.models.image_spec import ImageSpec
    from darts.models.registry import save_model

    images = ImageSpec.of(parsed.resolution, parsed.classes or 0, parsed.stem)
    if parsed.classes is None:
        images = ImageSpec.of(parsed.resolution, SETTINGS[images.stem].num_classes, images.stem)
    names = (
        "space",
        "n",
        "macs",
        "like",
        "max_params",
        "max_activations",
        "stages",
        "stem_width",
        "constrained",
        "tie_wa",
        "depth",
        "bottleneck",
        "group_width",
        "w0",
        "wa",
        "wm",
    )
    options = SpaceOptions(**{name: getattr(parsed, name) for name in names})
    drawn = sample_population(
        options, images, parsed.seed, channels=parsed.channels, layers=parsed.layers
    )
    keys = [f"{parsed.space.lower()}-{index:04d}" for index in range(len(drawn))]
    if parsed.output is not None:
        for key, network in zip(keys, drawn, strict=True):
            save_model(network.config, parsed.output / f"{key}.yaml")
    if parsed.json:
        for key, network in zip(keys, drawn, strict=True):
            print(json.dumps({"name": key, **_described(network)}))
        return
    head = ("name", "macs", "params", "activations", "depths", "widths", "groups", "b", "regnet")
    print_table([head, *(_row(key, n) for key, n in zip(keys, drawn, strict=True))])


def _settings_in(file: str, cls: type) -> dict[str, Any]:
    """The settings of a space in a file, ranges as text."""
    from darts.settings.recipe_files import check_recipe_file
    from darts.settings.recipes import config_path, read_recipe

    path = config_path(file)
    check_recipe_file(path, cls)
    texts = {one.replace("-", "_") for one in _RANGES} | {"macs", "max_params", "max_activations"}
    return {
        name: str(value) if name in texts else value for name, value in read_recipe(path).items()
    }


def _described(network: Sample) -> dict[str, Any]:
    return {
        "params": network.cost.params,
        "macs": network.cost.macs,
        "activations": network.cost.activations,
        "regnet": network.regnet and network.regnet.as_dict(),
        "anynet": network.config.as_dict(),
    }


def _row(key: str, network: Sample) -> tuple[str, ...]:
    stages, regnet = network.config.stages, network.regnet
    line = "" if regnet is None else f"d={regnet.depth} w0={regnet.w0} wa={regnet.wa:g} "
    return (
        key,
        f"{network.cost.macs:,}",
        f"{network.cost.params:,}",
        f"{network.cost.activations:,}",
        ",".join(str(stage.depth) for stage in stages),
        ",".join(str(stage.width) for stage in stages),
        ",".join(str(stage.group_width) for stage in stages),
        ",".join(f"{stage.bottleneck:g}" for stage in stages),
        line + (f"wm={regnet.wm:g} g={regnet.group_width}" if regnet else ""),
    )


def space_train_command(arguments: Sequence[str], prog: str) -> None:
    """Train the missing networks of a population and print a summary."""
    from darts.design_space.options import PopulationOptions, no_overlay
    from darts.settings.parsing import parse_options

    options = parse_options(
        PopulationOptions,
        arguments,
        prog=prog,
        overlay=no_overlay,
        fit=FIT_TRAINING,
        page=POPULATION,
    )
    from darts import api

    final = api.run_population(options)
    assert options.out is not None
    _print_summary(Path(options.out))
    if final is not None:
        where = "on held-out images" if options.hold_out else "on the test images (see --hold-out)"
        print(f"\nbest of {options.best_of}, chosen {where}, after {options.final_epochs} epochs:")
        print(final.sentence())
        print(f"run directory  {final.run_dir}")


def space_show_command(arguments: Sequence[str], prog: str) -> None:
    """List the trials of a population, or print one of them."""
    parser = Arguments(
        prog=prog, description="Show a population; its training may still be running."
    )
    parser.add_argument("directory", type=Path, help="--out of space train")
    parser.add_argument("--trial", metavar="KEY", help="show everything about one trial")
    parser.add_argument("--json", action="store_true", help="print one JSON object per trial")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="with --trial: write the network to this file",
    )
    parsed = parser.parse_args(arguments)
    from darts.design_space.stored_population import open_population

    with open_population(parsed.directory) as store:
        trials = store.rows()
    if parsed.trial is not None:
        _show_trial(trials, parsed.trial, parsed.output)
        return
    if parsed.output is not None:
        raise UserError("-o: which network? Give --trial.")
    if parsed.json:
        for trial in trials:
            print(json.dumps(_values(trial)))
        return
    head = ("name", "status", "error", "macs", "params", "activations", "seconds", "attempts")
    rows = [
        (
            trial.key,
            trial.status,
            "" if trial.result is None else f"{trial.result['test_error']:.2f}",
            *(f"{trial.settings[cost]:,}" for cost in ("macs", "params", "activations")),
            "" if trial.seconds is None else f"{trial.seconds:.1f}",
            str(trial.attempts),
        )
        for trial in trials
    ]
    print_table([head, *rows])
    print()
    _print_summary(parsed.directory)


def space_analyse_command(arguments: Sequence[str], prog: str) -> None:
    """Compare populations, print tables and write plots and a page."""
    parser = Arguments(
        prog=prog, description="Analyse populations: error distributions and the best networks."
    )
    parser.add_argument("directory", type=Path, nargs="+", help="--out of space train")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="directory of the results; by default DIRECTORY/analysis of the first one",
    )
    parser.add_argument("--names", nargs="+", help="names of the populations in plots and tables")
    parser.add_argument("--seed", type=int, default=0, help="seed of all bootstrap samples")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parsed = parser.parse_args(arguments)
    if parsed.names and len(parsed.names) != len(parsed.directory):
        raise UserError("--names: give one name for each directory.")
    from darts import api
    from darts.design_space.report import analysis_text

    folder = parsed.output or parsed.directory[0] / "analysis"
    analysis = api.analyse_populations(
        parsed.directory, names=parsed.names, output=folder, seed=parsed.seed
    )
    if parsed.json:
        print(json.dumps(analysis.as_dict()))
        return
    print(analysis_text(analysis))
    print(f"page  {folder / 'analysis.html'}")


def _show_trial(trials: Sequence[Trial], key: str, output: Path | None) -> None:
    from darts.design_space.stored_population import config_of
    from darts.models.registry import save_model

    trial = next((trial for trial in trials if trial.key == key), None)
    if trial is None:
        raise UserError(
            f"There is no trial {key!r}; trials are {trials[0].key} to {trials[-1].key}."
        )
    values = _values(trial)
    error = values.pop("error")
    print(json.dumps(values, indent=2))
    if error is not None:
        print(error)
    if output is not None:
        save_model(config_of(trial), output)
        print(output)


def _values(trial: Trial) -> dict[str, Any]:
    return {
        "name": trial.key,
        "status": trial.status,
        "attempts": trial.attempts,
        "seconds": trial.seconds,
        "settings": trial.settings,
        "result": trial.result,
        "curve": list(trial.curve),
        "environment": trial.environment,
        "error": trial.error,
    }


def _print_summary(directory: Path) -> None:
    """Print the state of a population on a few lines."""
    from darts.design_space.stored_population import open_population

    with open_population(directory) as store:
        counts, trials = store.counts(), store.rows()
    done = {trial.key: trial.result["test_error"] for trial in trials if trial.result is not None}
    rows = [("trials", ", ".join(f"{number} {status}" for status, number in counts.items()))]
    if done:
        best = min(done, key=lambda key: done[key])
        mean = sum(done.values()) / len(done)
        seconds = sum(trial.seconds or 0 for trial in trials)
        rows += [
            ("test error", f"[{done[best]:.2f} | {mean:.2f}] % (min | mean, last epoch)"),
            ("best", best),
            ("training", f"{seconds:.0f} s"),
        ]
    for trial in trials:
        if trial.error is not None:
            rows.append((trial.key, f"failed: {trial.error.splitlines()[-1]}"))
    rows.append(("population", str(directory)))
    print_table(rows)
