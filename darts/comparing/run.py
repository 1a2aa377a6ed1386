"""Run a comparison from its options to its outcome; finished trainings are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darts.comparing.candidates import (
    Baseline,
    ComparedNetwork,
    baseline,
    contender,
    is_population,
    named_network,
)
from darts.comparing.describe import measure_notes, recipe_sentence, setting_notes
from darts.comparing.named import judge_named
from darts.comparing.options import CompareOptions
from darts.comparing.outcome import Comparison, Contender, judge_contender
from darts.comparing.trainings import common_recipe, run_missing, study_directory
from darts.costs.latency import measure_latency
from darts.data.transforms import training_transform
from darts.design_space.population import Population
from darts.errors import UserError
from darts.files import atomic_write
from darts.models.anynet.config import AnyNetConfig
from darts.models.arrays import FloatArray
from darts.models.image_spec import ImageSpec
from darts.models.registry import Model, describe_model
from darts.report.formatting import percent
from darts.report.notebook import Figures, Summarised
from darts.report.tables import Row
from darts.runs.directory import RunDirectory
from darts.system.device import device_name, resolve_device
from darts.system.randomness import stream_seed
from darts.system.threads import set_threads
from darts.targets.target import LearningTask
from darts.training.options import training_of
from darts.training.trial import opened_dataset
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import Trial, TrialStore
from genotypes import Genotype

RESULT = "comparison.json"
# How often the latency of each network is measured.
_TURNS = 3


@dataclass(frozen=True, repr=False)
class FinishedComparison(Summarised):
    """A finished comparison.

    Attributes:
        comparison: Its outcome.
        path: Its directory.
    """

    comparison: Comparison
    path: Path

    def figures(self) -> Figures:
        """The judged network, the others, and where it is."""
        judged = self.comparison.contender
        return [
            ("network", judged.name),
            ("test error", percent(judged.error)),
            *(
                (
                    f"mean error of {one.population.name}",
                    percent(float(one.population.errors.mean())),
                )
                for one in self.comparison.judgements
            ),
            *((f"test error of {one.name}", percent(one.error)) for one in self.comparison.named),
            ("directory", str(self.path)),
        ]

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """What the page of the comparison has."""
        # Its plots need matplotlib, which trainings do without.
        from darts.comparing.report import comparison_tables

        return comparison_tables(self.comparison)


def train_and_compare(options: CompareOptions, model: Model) -> FinishedComparison:
    """Train the missing networks, measure latencies, compare, and write `comparison.json`.

    Args:
        options: The settings of the comparison.
        model: The judged genotype or network.

    Raises:
        UserError: An option is wrong, there are no networks of this cost, or too few could be
            trained.
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    options.check()
    device = resolve_device(options.device)
    set_threads(options.threads)
    data = opened_dataset(training_of(options), None if options.executor == "in-process" else "cpu")
    images = ImageSpec.of(data.image_size, data.num_classes, options.stem)
    training_transform(data, options)  # Raises if no training is possible.
    name = model.name if isinstance(model, Genotype) else Path(str(options.model)).stem
    judged = contender(options, name, model, images)
    groups = [one for one in options.baselines if is_population(one)]
    baselines = [baseline(one, options, judged, images) for one in groups]
    named = [named_network(options, one, images) for one in options.baselines if one not in groups]
    run = study_directory(options, "compare")
    rows = _trained(options, run, judged, baselines, named)
    times = _latencies(options, [judged, *named], baselines, images, device)

    test_images = len(data.test)
    populations = [_population(one, rows, times) for one in baselines]
    found, *others = (
        Contender(
            name=one.label,
            errors=_errors(one, options, rows),
            properties={**one.properties, **times[one.label]},
            test_images=test_images,
        )
        for one in (judged, *named)
    )
    comparison = Comparison(
        contender=found,
        judgements=judge_contender(found, populations, options.seed),
        recipe=recipe_sentence(options, judged),
        notes=(
            *setting_notes(options, judged, test_images, populations),
            *(note for one in baselines for note in one.notes),
            *_notes_on_named(options, named, rows),
            *_notes_on_measure(options, data.target, [judged, *named], baselines, rows),
        ),
        named=tuple(others),
        setting={
            **asdict(images),
            "dataset": options.dataset,
            "test_images": test_images,
            "channels": judged.channels,
            "layers": judged.layers,
            "device": device_name(device),
            "latency_batch": options.latency_batch,
        },
    )
    with atomic_write(run.path / RESULT) as stream:
        json.dump(comparison_values(comparison), stream, indent=2)
    return FinishedComparison(comparison, run.path)


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """Plain values of the whole comparison, the content of `comparison.json`."""
    judged = comparison.contender
    values = comparison.as_dict()
    if comparison.named:
        judgements = judge_named(judged, comparison.named)
        values["networks"] = [one.as_dict(judged) for one in judgements]
    return values


def _notes_on_measure(
    options: CompareOptions,
    target: LearningTask,
    networks: Sequence[ComparedNetwork],
    baselines: Sequence[Baseline],
    rows: Mapping[str, Trial],
) -> tuple[str, ...]:
    """What to know about the measure, and the measures beside it of all networks."""
    trained = {
        one.label: [rows[key].result or {} for key in _keys(one, options)] for one in networks
    }
    others = {
        group.name: [rows[one.label].result or {} for one in group.candidates]
        for group in baselines
    }
    return measure_notes(target, trained, others)


def _keys(judged: ComparedNetwork, options: CompareOptions) -> list[str]:
    """Keys of the trainings of the judged network, or of a named one."""
    return [f"{judged.label}, training {number + 1}" for number in range(options.seeds)]


def _errors(one: ComparedNetwork, options: CompareOptions, rows: Mapping[str, Trial]) -> FloatArray:
    """Test errors (%) of the trainings that ended well."""
    trials = [rows[key] for key in _keys(one, options)]
    errors = [trial.result["test_error"] for trial in trials if trial.result is not None]
    if not errors:
        reason = (trials[0].error or "").strip().splitlines()
        raise UserError(f"{one.label} could not be trained. {reason[-1] if reason else ''}")
    return np.array(errors)


def _notes_on_named(
    options: CompareOptions, named: Sequence[ComparedNetwork], rows: Mapping[str, Trial]
) -> list[str]:
    if not named:
        return []
    notes = [
        "Named networks keep their own size: their cost differs from that of the judged network."
    ]
    for one in named:
        failed = sum(rows[key].result is None for key in _keys(one, options))
        if failed:
            notes.append(f"{one.label}: {failed} of {options.seeds} trainings failed.")
    return notes


def _trained(
    options: CompareOptions,
    run: RunDirectory,
    judged: ComparedNetwork,
    baselines: Sequence[Baseline],
    named: Sequence[ComparedNetwork] = (),
) -> Mapping[str, Trial]:
    """Run all missing trainings; return every trial, done or failed, by its key.

    Each training has its own seed, derived from the seed of the comparison and the key, so that
    errors are independent samples. All networks are trained on the same images. The judged network
    comes first, because without its error the others are useless.
    """

    def settings(key: str, one: ComparedNetwork) -> dict[str, Any]:
        return {
            "model": describe_model(one.model),
            "seed": stream_seed(options.seed, key),
            "recipe": {"channels": one.channels, "layers": one.layers},
        }

    own = {key: settings(key, judged) for key in _keys(judged, options)}
    others = {key: settings(key, one) for one in named for key in _keys(one, options)}
    others |= {
        one.label: settings(one.label, one) for group in baselines for one in group.candidates
    }
    with TrialStore(run.path / TRIALS_FILE) as store:
        store.configure(common_recipe(options))
        store.add_all(own)
        if options.retry_failed:
            store.retry_failed()
        run_missing(store, options, run, "comparison")
        for key in own:
            if (error := store.trial(key).error) is not None:
                raise UserError(f"{key}: {error}")
        store.add_all(others)
        run_missing(store, options, run, "comparison")
        return {trial.key: trial for trial in store.rows()}


def _latencies(
    options: CompareOptions,
    single: Sequence[ComparedNetwork],
    baselines: Sequence[Baseline],
    images: ImageSpec,
    device: Any,
) -> Mapping[str, Mapping[str, float]]:
    """Seconds per batch of each network, by label; empty if they are not to be measured."""
    candidates = [*single, *(one for group in baselines for one in group.candidates)]
    if not options.latency_batch:
        return {one.label: {} for one in candidates}
    print(f"measuring the latency of {len(candidates)} networks …", file=sys.stderr)
    networks = [one.network(images) for one in candidates]
    shape = (options.latency_batch, 3, images.resolution, images.resolution)
    # In turns, so that a temporarily slow machine affects all networks.
    times = np.median(
        [
            [measure_latency(one, shape, device, repeats=3) for one in networks]
            for _ in range(_TURNS)
        ],
        axis=0,
    )
    return {
        one.label: {"latency": float(time)} for one, time in zip(candidates, times, strict=True)
    }


def _population(
    group: Baseline,
    rows: Mapping[str, Trial],
    times: Mapping[str, Mapping[str, float]],
) -> Population:
    pairs = [(one, rows[one.label]) for one in group.candidates]
    done = [(one, row) for one, row in pairs if row.result is not None]
    if len(done) < 2:
        reason = next((row.error for _, row in pairs if row.error), "") or ""
        raise UserError(
            f"Of {len(pairs)} networks of {group.name}, {len(done)} could be trained; a comparison "
            f"needs at least 2. {reason.splitlines()[-1] if reason else ''}"
        )
    known = [{**one.properties, **_measured(row), **times[one.label]} for one, row in done]
    configs = tuple(one.model for one, _ in done if isinstance(one.model, AnyNetConfig))
    return Population(
        name=group.name,
        errors=np.array([row.result["test_error"] for _, row in done if row.result]),
        properties={name: np.array([one[name] for one in known]) for name in known[0]},
        configs=configs if len(configs) == len(done) else (),
        labels=tuple(one.label for one, _ in done),
        missing=len(pairs) - len(done),
    )


def _measured(row: Trial) -> dict[str, float]:
    return {} if row.seconds is None else {"seconds": row.seconds}
