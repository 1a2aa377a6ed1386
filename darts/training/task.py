"""Training of any model from scratch; the result is the test after the last epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from darts.costs.count import count
from darts.data.dataset import Dataset
from darts.data.loader import BatchLoader
from darts.data.sources import open_dataset
from darts.data.subsets import write_manifest
from darts.data.transforms import random_crops, training_transform
from darts.models.registry import Model
from darts.report.formatting import duration, size
from darts.report.notebook import Figures, Summarised
from darts.runs.directory import RunDirectory
from darts.runs.loop import EpochReport
from darts.runs.optimisers import create_optimiser, restore, set_learning_rate
from darts.runs.same_settings import check_settings, kept_settings
from darts.runs.starting import run_task
from darts.runs.tracking import Tracker
from darts.system import distributed
from darts.system.device import (
    all_finite,
    dtype_of,
    peak_memory,
    precision_context,
)
from darts.system.preparation import prepare_task
from darts.system.threads import fit_threads, restored_threads
from darts.targets.scores import Scores, class_rows, prefixed
from darts.training.compiled import Forward, compiled, wants_compiling
from darts.training.distillation import Teacher
from darts.training.ema import create_average, decay_of, short_run_warning
from darts.training.learning_rate import learning_rate_of
from darts.training.memory import memory_advice
from darts.training.mixing import draw_share, mix
from darts.training.network import prepare_trainee
from darts.training.objective import Objective
from darts.training.options import TrainingOptions, check_recipe
from darts.training.pretrained import with_normalisation
from darts.training.scoring import score
from genotypes import Genotype, save_genotype
from ops.regularize import PartGenerator

TRAINING_STREAMS = ("weights", "order", "noise", "drop path", "mixing")
"""Names of the random streams of a retraining."""


@dataclass(frozen=True, repr=False)
class TrainingResult(Summarised):
    """The result of a retraining.

    Attributes:
        scores: Test scores after the last epoch, not those of the best epoch.
        run_dir: The run directory.
        seconds: Duration of the training.
        peak_memory: Largest memory in use on the device, in bytes.
        average_scores: Test scores of the averaged weights, or None if there is no average.
    """

    scores: Scores
    run_dir: Path
    seconds: float
    peak_memory: int
    average_scores: Scores | None = None

    def figures(self) -> Figures:
        """Test scores, time, memory, and where it is."""
        return [
            *((f"test {name}", value) for name, value in self.scores.lines()),
            ("time", duration(self.seconds)),
            ("peak memory", size(self.peak_memory)),
            ("directory", str(self.run_dir)),
        ]


class TrainingTask:
    """One retraining as a task of `darts.runs.loop.Loop`.

    Args:
        options: The recipe.
        model: The genotype or the config of the network.
        dataset: The data set of `options`, if it is already open.
        compiler: The back end of torch.compile, used if the network is compiled.
    """

    title = "training"
    learning_rate: float
    notes: Mapping[str, Any] = MappingProxyType({})
    drawing: Sequence[str] = ()

    def __init__(
        self,
        options: TrainingOptions,
        model: Model,
        dataset: Dataset | None = None,
        compiler: str = "inductor",
    ) -> None:
        check_recipe(options)
        self.device, self.streams = prepare_task(options, TRAINING_STREAMS)
        self.options = options
        self.epochs, self.images_per_step = options.epochs, options.batch_size
        self.dataset = self._opened(options) if dataset is None else dataset
        self.network, origin = prepare_trainee(
            options, model, self.dataset, self.device, self.streams["weights"]
        )
        self.origin = None if origin is None else origin.as_dict()
        self.target, self.teacher = self.dataset.target, self._teacher(options)
        fit_threads(options.threads, self.device, self._work, options.resume)
        self.objective = Objective(
            label_smoothing=options.label_smoothing,
            auxiliary_weight=options.auxiliary_weight,
            distillation_weight=options.distillation_weight,
            target=self.target,
            class_weights=self.dataset.class_weights(options, self.device),
        )
        self.optimiser = create_optimiser(
            options.optimiser,
            self.network,
            learning_rate=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            decay_norms=options.decay_norms,
            device=self.device,
        )
        self.training = self._batches(options)
        self.steps_per_epoch = self.training.steps_per_epoch
        self.average = create_average(self.network, self._average_decay(options))
        self.scores: Scores | None = None
        self.average_scores: Scores | None = None
        # Compiled last: it takes long, and all other errors show first.
        self.forward = self._forward(options, compiler)
        # The choice that was made, so that a resumed run computes in the same way.
        self.options = replace(
            options, compile=self.forward is not self.network, task=self.target.kind
        )

    def _work(self) -> float:
        """Mean multiply-adds of a layer for a part of a batch."""
        layers = sum(isinstance(one, (nn.Conv2d, nn.Linear)) for one in self.network.modules())
        images = self.images_per_step / (distributed.world() * self.options.accumulate)
        return count(self.network, self.dataset.image_size).macs * images / max(layers, 1)

    def _opened(self, options: TrainingOptions) -> Dataset:
        with distributed.one_first():
            opened = open_dataset(options, options.seed, self.device, run=options.resume)
        return with_normalisation(opened, options.pretrained, options.resume, options.pretrained_as)

    def _teacher(self, options: TrainingOptions) -> Teacher | None:
        if options.teacher is None:
            return None
        dtype = dtype_of(options.precision)
        return Teacher(options.teacher, self.dataset.card(), self.device, dtype)

    def _batches(self, options: TrainingOptions) -> BatchLoader:
        return BatchLoader(
            self.dataset.train,
            torch.arange(len(self.dataset.train)),
            options.batch_size,
            self.device,
            training_transform(self.dataset, options),
            self.streams["order"],
            self.streams["noise"],
            epoch_order=self.dataset.epoch_order(options),
            crops=random_crops(self.dataset),
            dtype=dtype_of(options.precision),
            share=distributed.share(),
        )

    def _average_decay(self, options: TrainingOptions) -> float:
        """Decay of the averaged weights, 0 for none; warns if it is too slow."""
        steps = self.epochs * self.steps_per_epoch
        if options.resume is None and (warning := short_run_warning(options.ema, steps)):
            print(warning, file=sys.stderr)
        return options.ema or decay_of(options.ema_share, steps)

    def _forward(self, options: TrainingOptions, compiler: str) -> Forward:
        """The network, or its compiled forward pass if that is wanted and possible."""
        if not wants_compiling(options.compile, self.device):
            return self.network
        size = self.dataset.image_size
        images = options.batch_size // (distributed.world() * options.accumulate)
        batch = torch.zeros(images, 3, size, size, dtype=dtype_of(options.precision))
        print("compiling the network …", file=sys.stderr)
        start = time.monotonic()
        forward = compiled(
            self.network,
            batch.to(self.device, memory_format=torch.channels_last),
            partial(precision_context, options.precision, self.device),
            compiler,
        )
        if forward is None:
            return self.network
        self.title = "training (compiled)"
        print(f"compiled in {time.monotonic() - start:.0f} s", file=sys.stderr)
        return forward

    def begin_epoch(self, epoch: int) -> None:
        options = self.options
        self.learning_rate = learning_rate_of(options, epoch)
        set_learning_rate(self.optimiser, self.learning_rate)
        grown = epoch / options.epochs if options.drop_path_schedule == "linear" else 1.0
        self.drop_path = options.drop_path * grown
        self.network.train()

    def _add_gradients(
        self, images: Tensor, targets: Tensor, labels: Tensor, noise: torch.Generator
    ) -> Tensor:
        """Add the gradients of one part of the batch; return its loss and measure (%) `[2]`."""
        with precision_context(self.options.precision, self.device):
            logits, auxiliary = self.forward(images, self.drop_path, noise)
            teachers = None if self.teacher is None else self.teacher(images)
            loss, total = self.objective(logits, auxiliary, targets, teachers)
        (total / self.options.accumulate).backward()
        measure = self.target.batch_score(logits.detach(), labels)
        return torch.stack([loss.detach(), measure.to(loss.dtype)])

    def step(self) -> Mapping[str, Tensor]:
        images, labels = self.training.next_batch()
        targets = labels
        if self.options.mixup:
            share = draw_share(self.options.mixup, self.streams["mixing"])
            targets = self.target.soft(labels, self.dataset.num_classes, images.dtype)
            images, targets = mix(images, targets, share)
            labels = self.target.hard(targets)
        self.optimiser.zero_grad(set_to_none=True)
        stream, own = self.streams["drop path"], distributed.share()
        before, parts = stream.get_state(), self.options.accumulate
        scalars = []
        pieces = [whole.chunk(parts) for whole in (images, targets, labels)]
        for number, (x, y, classes) in enumerate(zip(*pieces, strict=True)):
            place = own.index * parts + number
            noise = PartGenerator.starting_at(before, place, own.parts * parts)
            scalars.append(self._add_gradients(x, y, classes, noise))
        stream.set_state(noise.get_state())
        distributed.average([p.grad for p in self.network.parameters() if p.grad is not None])
        if self.options.grad_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.grad_clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        loss, measure = torch.stack(scalars).mean(0)
        return {"loss": loss, self.target.step_measure: measure}

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        return self.test_if_due(epoch)

    def test_if_due(self, epoch: int) -> Mapping[str, Any]:
        """The scores after an epoch (from 0) if a test is due, as it is after the last epoch."""
        every = self.options.test_every
        if epoch + 1 < self.epochs and not (every and (epoch + 1) % every == 0):
            return {}
        self.test()
        return self.figures()

    def test(self) -> None:
        """Score the weights, and the averaged weights if there are any."""

        def scores(network: nn.Module) -> Scores:
            return score(
                network,
                self.dataset,
                batch_size=self.options.batch_size,
                device=self.device,
                precision=self.options.precision,
            )

        self.scores = scores(self.network)
        if self.average is not None:
            self.average_scores = scores(self.average)

    def figures(self) -> dict[str, float]:
        """The scores of the last test by name; those of the averaged weights as `average_…`."""
        figures = {} if self.scores is None else prefixed(self.scores, "test")
        if self.average_scores is not None:
            figures |= prefixed(self.average_scores, "average_test")
        return figures

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        average = () if self.average is None else (self.average.module,)
        return (self.network, *average)

    def memory_advice(self) -> str:
        return memory_advice(self.options, self.network, self.dataset)

    def is_finite(self) -> bool:
        return all_finite(self.network.parameters())

    _PARTS = ("network", "optimiser", "training", "streams")

    def state_dict(self) -> dict[str, Any]:
        average = {} if self.average is None else {"average": self.average.module.state_dict()}
        return {
            **{part: getattr(self, part).state_dict() for part in self._PARTS},
            **average,
            **({} if self.origin is None else {"pretrained": self.origin}),
            "teacher": None if self.teacher is None else self.teacher.digest,
            # `--test-only` and `predict` rebuild the network from these two alone.
            "description": self.network.description,
            "data": self.dataset.card(),
            "settings": kept_settings(self.options),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        check_settings(state.get("settings"), self.options)
        self.dataset.check_same(state["data"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
        if self.teacher is not None:
            self.teacher.check_same(state["teacher"])
        self.origin = state.get("pretrained")
        for part in self._PARTS:
            if part == "optimiser":
                restore(self.optimiser, state[part])
            else:
                getattr(self, part).load_state_dict(state[part])


def train_network(
    options: TrainingOptions,
    model: Model,
    report: EpochReport | None = None,
    task: TrainingTask | None = None,
) -> TrainingResult:
    """Train the network of `model` from scratch, or continue the run in `options.resume`.

    Args:
        options: The recipe and the run directory.
        model: The genotype or the config of the network.
        report: Receives the line of each epoch; see `darts.runs.loop.Loop`.
        task: The task of these options, if it is already made.

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    distributed.check_parts(options.batch_size, options.accumulate)
    with restored_threads():
        return _trained(options, model, report, task or TrainingTask(options, model))


def _trained(
    options: TrainingOptions, model: Model, report: EpochReport | None, task: TrainingTask
) -> TrainingResult:
    if report is None and distributed.is_main():
        data, tests = task.dataset, len(task.dataset.test)
        print(
            f"data: {data.name}, {data.num_classes} classes, {data.image_size}x{data.image_size} "
            f"pixels; {len(data.train):,} training images, {tests:,} test images.",
            file=sys.stderr,
        )
    run, loop = run_task(
        task,
        "evaluate",
        task.options,
        prepare=lambda run: write_manifest(task.dataset, run.images, options.seed),
        report=report,
    )
    if task.scores is None:  # The run had ended before it was resumed.
        task.test()
    assert task.scores is not None
    result = TrainingResult(
        task.scores, run.path, loop.seconds, peak_memory(task.device), task.average_scores
    )
    if not distributed.is_main():
        return result
    if isinstance(model, Genotype):
        save_genotype(model, run.genotype)
    cost = count(task.network, task.dataset.image_size)
    run.write_result(
        {
            ("genotype" if isinstance(model, Genotype) else "model"): model.as_dict(),
            "epoch": task.epochs,
            **({} if task.origin is None else {"pretrained": task.origin}),
            **task.figures(),
            "test_images": len(task.dataset.test),
            "test_classes": class_rows(task.scores),
            **task.dataset.counts(),
            "parameters": cost.params,
            "macs": cost.macs,
            "seconds": result.seconds,
            "peak_memory": result.peak_memory,
        }
    )
    return result
