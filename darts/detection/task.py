"""Train a detector and evaluate it after the last epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from darts.costs.count import count
from darts.data.channels import Rgb
from darts.detection.average_precision import (
    Precision,
    Result,
    average_precision,
    check_pycocotools,
)
from darts.detection.backbone import create_backbone
from darts.detection.detector import Detector
from darts.detection.heads import create_detector, detector_from_description
from darts.detection.loader import ViewLoader
from darts.detection.matching import Targets
from darts.detection.options import DetectionOptions
from darts.detection.scoring import find_all, load_detector, write_results
from darts.detection.sources import open_parts
from darts.report.formatting import duration
from darts.report.notebook import Figures, Summarised
from darts.run_files import RunFiles
from darts.runs.checkpoints import has_begun
from darts.runs.directory import RunDirectory
from darts.runs.optimisers import create_optimiser, restore, set_learning_rate
from darts.runs.same_settings import check_settings, kept_settings
from darts.runs.schedules import cosine
from darts.runs.starting import run_task
from darts.runs.tracking import Tracker
from darts.system import distributed
from darts.system.device import all_finite, dtype_of, peak_memory
from darts.system.memory import SAMPLE, Remedy, advice, kept_bytes
from darts.system.preparation import prepare_task
from darts.system.randomness import stream_seed
from darts.training.ema import create_average
from ops.sync_norm import synchronise_norms

_STREAMS = ("weights", "order", "colours")


@dataclass(frozen=True, repr=False)
class DetectionResult(Summarised):
    """Result of the training of a detector.

    Attributes:
        precision: Metrics after the last epoch.
        run_dir: Run directory.
        seconds: Time of the training.
        peak_memory: Largest memory in bytes.
    """

    precision: Precision
    run_dir: Path
    seconds: float
    peak_memory: int

    def figures(self) -> Figures:
        """Average precision, time, and where it is."""
        return [
            ("AP", f"{self.precision.ap:.1f}"),
            ("AP50", f"{self.precision.ap50:.1f}"),
            ("time", duration(self.seconds)),
            ("directory", str(self.run_dir)),
        ]


class DetectionTask:
    """The training of a detector as a task of `darts.runs.loop.Loop`.

    Args:
        options: Options of the detector.

    Raises:
        UserError: An option or the data are wrong.
    """

    title = "detection"
    learning_rate: float
    notes: Mapping[str, Any] = MappingProxyType({})
    drawing: Sequence[str] = ()

    def __init__(self, options: DetectionOptions) -> None:
        check_pycocotools()
        distributed.check_parts(options.batch_size, 1)
        self.options = options
        self.device, self.streams = prepare_task(options, _STREAMS)
        self.epochs, self.images_per_step = options.epochs, options.batch_size
        with distributed.one_first():  # It may draw the images.
            self.train, self.val = open_parts(options)
        self.detector, self.mean, self.std = self._create(options)
        dtype = dtype_of(options.precision)
        if options.sync_norm and distributed.world() > 1:
            synchronise_norms(self.detector)
        self.detector.place(self.device, dtype)
        self.optimiser = create_optimiser(
            options.optimiser,
            self.detector,
            learning_rate=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            decay_norms=options.decay_norms,
            device=self.device,
        )
        self.training = ViewLoader(
            self.train,
            options,
            self.device,
            self.streams["order"],
            self.streams["colours"],
            mean=self.mean,
            std=self.std,
            dtype=dtype,
            share=distributed.share(),
        )
        self.steps_per_epoch = self.training.steps_per_epoch
        self.average = create_average(self.detector, options.ema)
        self.precision: Precision | None = None
        self.average_precision: Precision | None = None

    def _create(self, options: DetectionOptions) -> tuple[Detector, Rgb, Rgb]:
        if options.resume is not None and has_begun(options.resume):
            # From the checkpoint, because the file of the model may have changed.
            return load_detector(options.resume, self.val)
        backbone = create_backbone(options, self.streams["weights"])
        detector = create_detector(
            backbone.maps,
            num_classes=len(self.train.classes),
            image_size=options.image_size,
            head=options.head,
            finest_stride=options.finest_stride,
            pyramid_channels=options.pyramid_channels,
            generator=self.streams["weights"],
        )
        return detector, backbone.mean, backbone.std

    def begin_epoch(self, epoch: int) -> None:
        """Prepare an epoch, counted from 0."""
        self.epoch = epoch
        self._set_learning_rate()
        self.detector.train()

    def _set_learning_rate(self) -> None:
        rate = cosine(self.options.learning_rate, 0.0, self.epoch, self.epochs)
        warmup = self.options.lr_warmup_epochs * self.steps_per_epoch
        done = self.epoch * self.steps_per_epoch + self.training.position % self.steps_per_epoch
        self.learning_rate = rate * min((done + 1) / warmup, 1.0) if warmup else rate
        set_learning_rate(self.optimiser, self.learning_rate)

    def step(self) -> Mapping[str, Tensor]:
        """Take one step of the optimiser and return its losses."""
        self._set_learning_rate()
        images, targets = self.training.next_batch()
        self.optimiser.zero_grad(set_to_none=True)
        # Of this batch alone, so a run that resumes here samples the same boxes.
        seed = stream_seed(self.training.seed, f"sampled boxes {self.training.position}")
        losses = self.detector.losses(images, targets, precision=self.options.precision, seed=seed)
        loss = torch.stack(list(losses.values())).sum()
        loss.backward()
        distributed.average([p.grad for p in self.detector.parameters() if p.grad is not None])
        if self.options.grad_clip:
            nn.utils.clip_grad_norm_(self.detector.parameters(), self.options.grad_clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.detector)
        return {name: value.detach() for name, value in {"loss": loss, **losses}.items()}

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        """Evaluate the detector if the options ask for it, and return the metrics."""
        every = self.options.test_every
        if epoch + 1 < self.epochs and not (every and (epoch + 1) % every == 0):
            return {}
        self.test(run)
        if self.options.pictures and distributed.is_main():
            tracker.image("detections", run.drawn_detections, step)
        return self.figures()

    def figures(self) -> dict[str, Any]:
        """The metrics of the last evaluation; those of the averaged weights as `average_…`."""
        assert self.precision is not None
        found = dict(self.precision.as_dict())
        if self.average_precision is not None:
            averaged = self.average_precision.as_dict()
            found |= {f"average_{name}": value for name, value in averaged.items()}
        return found

    def test(self, files: RunFiles) -> Precision:
        """Evaluate the detector on the validation images, and write its detections.

        Its averaged weights are evaluated as well, if there are any.
        """
        if self.average is not None:
            module = self.average.module
            assert isinstance(module, Detector)
            self.average_precision, _ = self._judged(module)
        self.precision, results = self._judged(self.detector)
        if distributed.is_main():
            write_results(self.val, results, files, self.options.pictures)
        return self.precision

    def _judged(self, detector: Detector) -> tuple[Precision, list[Result]]:
        """The precision of a detector, and what it found."""
        found = find_all(detector, self.val, self.options, self.mean, self.std)
        return distributed.from_main(lambda: average_precision(self.val, found)), found

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """Modules with parameters."""
        return (self.detector, *(() if self.average is None else (self.average.module,)))

    def memory_advice(self) -> str:
        """How to need less memory, after the device ran out of it."""
        detector = detector_from_description(self.detector.description).train()
        size, batch = self.options.image_size, self.options.batch_size
        box = torch.tensor([[[0.0, 0.0, size, size]]]).expand(SAMPLE, 1, 4)
        targets = Targets(box, torch.ones(SAMPLE, 1, dtype=torch.int64))

        def evaluate() -> Tensor:
            images = torch.zeros(SAMPLE, 3, size, size)
            return torch.stack(list(detector.losses(images, targets).values())).sum()

        present = kept_bytes(evaluate, detector) / SAMPLE
        smaller = Remedy(f"--batch-size {max(batch // 2, 1)}", present / 2, "another recipe")
        return advice(batch, present, [smaller])

    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        return all_finite(self.detector.parameters())

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs."""
        return {
            "detector": self.detector.state_dict(),
            **({} if self.average is None else {"average": self.average.module.state_dict()}),
            "optimiser": self.optimiser.state_dict(),
            "training": self.training.state_dict(),
            "streams": self.streams.state_dict(),
            # These two make a checkpoint usable without its options.
            "description": self.detector.description,
            "data": {
                "categories": [list(category) for category in self.train.categories],
                "mean": list(self.mean),
                "std": list(self.std),
            },
            "settings": kept_settings(self.options),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        check_settings(state.get("settings"), self.options)
        self.detector.load_state_dict(state["detector"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
        restore(self.optimiser, state["optimiser"])
        self.training.load_state_dict(state["training"])
        self.streams.load_state_dict(state["streams"])


def train_detector(options: DetectionOptions) -> DetectionResult:
    """Train a detector, or continue the run in `options.resume`.

    Raises:
        UserError: An option, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM was received; the checkpoint is written.
    """
    task = DetectionTask(options)
    run, loop = run_task(task, "detect", options)
    precision = task.precision or task.test(run)  # The resumed run was already finished.
    result = DetectionResult(precision, run.path, loop.seconds, peak_memory(task.device))
    if not distributed.is_main():
        return result
    cost = count(task.detector, task.detector.image_size)
    run.write_result(
        {
            "detector": task.detector.description,
            "epoch": options.epochs,
            **task.figures(),
            "train_images": len(task.train),
            "val_images": len(task.val),
            "classes": list(task.val.classes),
            "parameters": cost.params,
            "macs": cost.macs,
            "seconds": result.seconds,
            "peak_memory": result.peak_memory,
        }
    )
    return result
