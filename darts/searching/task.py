"""The search: data in two halves, the supernet, the bilevel step, a genotype every epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.topology import Topology
from darts.costs.ceilings import CostAwareness
from darts.costs.tables import target_of
from darts.data.loader import BatchLoader, evaluation_batches
from darts.data.sources import open_dataset
from darts.data.statistics import measured_on
from darts.data.subsets import search_halves, write_manifest
from darts.data.transforms import evaluation_transform, training_transform
from darts.methods.architecture import KINDS, Architecture
from darts.models.stems import check_image_size, choose_stem
from darts.runs.directory import RunDirectory
from darts.runs.loop import run_task
from darts.runs.optimisers import create_adam, create_sgd, restore, set_learning_rate
from darts.runs.schedules import cosine, warm_up
from darts.runs.tracking import Tracker
from darts.searching.checks import check_options
from darts.searching.memory import memory_advice
from darts.searching.options import SearchOptions
from darts.searching.recording import CudaGraphs, RecordedIteration, Step, wants_graphs
from darts.searching.steps import ArchitectureStep, Batch, Iteration, WeightStep
from darts.searching.supernet import Supernet
from darts.system import distributed
from darts.system.device import (
    all_finite,
    check_precision,
    dtype_of,
    keep_memory,
    peak_memory,
    precision_context,
    resolve_device,
    set_threads,
)
from darts.system.randomness import RandomStreams
from genotypes import Genotype, save_genotype
from ops.initialise import initialise
from ops.sync_norm import synchronise_norms

STREAMS = (
    "weights",
    "architecture",
    "split",
    "training order",
    "training noise",
    "validation order",
    "validation noise",
    "channels",
)

EpochHook = Callable[[RunDirectory, Tracker, int, int, Genotype], None]
"""Called after each epoch with the run, its tracker, the epoch, the step and the genotype."""


@dataclass(frozen=True)
class SearchResult:
    """What a search ends with.

    Args:
        genotype: That of the last epoch, as in the authors' experiments.
        run_dir: Where everything about the search is kept.
        validation_accuracy: Of the supernet on the architecture's images after the last epoch, %.
        seconds: Time of the loop, all parts of a resumed run together.
        peak_memory: Bytes; see `darts.system.device.peak_memory`.
        derived: What the derived network costs; see `CostAwareness.result`.
    """

    genotype: Genotype
    run_dir: Path
    validation_accuracy: float
    seconds: float
    peak_memory: int
    derived: Mapping[str, Any]


class SearchTask:
    """One search as a task of `darts.runs.loop.Loop`."""

    title: str
    learning_rate: float

    def __init__(self, options: SearchOptions, on_epoch: EpochHook | None = None) -> None:
        self.options, self.on_epoch = options, on_epoch
        self.device = resolve_device(options.device, distributed.local_rank())
        check_precision(options.precision, self.device)
        set_threads(options.threads)
        keep_memory()
        self.epochs, self.images_per_step = options.epochs, options.batch_size
        self.streams = RandomStreams(options.seed, STREAMS)
        with distributed.one_first():
            dataset = open_dataset(
                options, options.seed, self.device, run=options.resume, test=False
            )
        ours, theirs = search_halves(
            dataset, 1 - options.arch_fraction, self.streams["split"], options.split
        )
        self.dataset = measured_on(dataset, ours)
        self.weight_indices, self.validation_indices = ours, theirs
        self.training = self._loader(ours, "training")
        self.validation = self._loader(theirs, "validation")
        self.steps_per_epoch = self.training.steps_per_epoch
        self._build_networks()

    def record_images(self, run: RunDirectory) -> None:
        """Write down which files serve the weights and which the architecture."""
        write_manifest(
            self.dataset,
            run.images,
            self.options.seed,
            weights=self.weight_indices,
            architecture=self.validation_indices,
        )

    def _loader(self, indices: Tensor, name: str) -> BatchLoader:
        return BatchLoader(
            self.dataset.train,
            indices,
            self.options.batch_size,
            self.device,
            training_transform(self.dataset, self.options),
            self.streams[f"{name} order"],
            self.streams[f"{name} noise"],
            dtype=dtype_of(self.options.precision),
            share=distributed.share(),
        )

    def _build_networks(self) -> None:
        options = self.options
        stem = choose_stem(options.stem, self.dataset.image_size)
        topology = Topology(options.nodes)
        self.architecture = Architecture(
            topology,
            edge_normalisation=options.edge_normalisation,
            generator=self.streams["architecture"],
        )
        with distributed.one_first():
            self.supernet = Supernet(
                topology,
                self.architecture.operations,
                channels=options.channels,
                layers=options.layers,
                k=options.k,
                num_classes=self.dataset.num_classes,
                stem=stem,
                sampling=options.sampling,
                backend=self._backend(),
                device=self.device.type,
            )
        # As it was resolved, so that a resumed run computes in the same way.
        self.options = options = replace(options, backend=self.supernet.backend)
        self.title = f"search ({options.backend})"
        size = self.dataset.image_size
        check_image_size(size, size, self.supernet.image_multiple)
        initialise(self.supernet, self.streams["weights"])
        self.supernet.recompute = options.recompute_cells
        if options.sync_norm and distributed.world() > 1:
            synchronise_norms(self.supernet)
        dtype = dtype_of(options.precision)
        self.supernet.to(self.device, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.architecture.to(self.device, dtype)
        self.weight_optimiser = create_sgd(
            self.supernet.parameters(),
            learning_rate=options.learning_rate,
            momentum=options.momentum,
            weight_decay=options.weight_decay,
            device=self.device,
        )
        self.architecture_optimiser = create_adam(
            self.architecture.parameters(),
            learning_rate=options.arch_learning_rate,
            betas=options.arch_betas,
            weight_decay=options.arch_weight_decay,
            device=self.device,
        )

        def criterion(logits: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(logits, labels)

        searching = max(options.epochs - options.arch_warmup_epochs, 0)
        self.costs = CostAwareness(
            options,
            self.architecture,
            target_of(options, stem, self.dataset),
            device=self.device,
            steps=searching * self.steps_per_epoch,
            measured=not options.resume,
        )
        context = partial(precision_context, options.precision, self.device)
        weight_step = WeightStep(
            self.supernet,
            self.architecture,
            self.weight_optimiser,
            criterion,
            options.grad_clip or None,
            context,
            distributed.average,
            options.accumulate,
        )
        architecture_step = ArchitectureStep(
            self.supernet,
            self.architecture,
            self.architecture_optimiser,
            self.weight_optimiser,
            criterion,
            order=options.order,
            clip=options.arch_grad_clip or None,
            context=context,
            penalty=self.costs.penalty if self.costs.penalises else None,
            reduce=distributed.average,
            parts=options.accumulate,
        )
        self.iteration: Step = Iteration(architecture_step, weight_step)
        # No graph holds what processes exchange.
        alone = distributed.world() == 1
        if alone and wants_graphs(options.cuda_graphs, self.device, options.order):
            self.iteration = RecordedIteration(
                self.iteration,
                CudaGraphs(self.device),
                insist=options.cuda_graphs == "always",
            )
            self.title = f"search ({options.backend}, CUDA graphs)"

    def _backend(self) -> str:
        """The back end to ask for; PyTorch for "auto" where native kernels could not serve."""
        options = self.options
        if options.sync_norm and distributed.world() > 1:
            return "torch"  # The only one that asks each norm itself for its statistics.
        autocast = self.device.type == "cpu" and options.precision == "bf16"
        return "torch" if options.backend == "auto" and autocast else options.backend

    def begin_epoch(self, epoch: int) -> None:
        options = self.options
        rate = cosine(options.learning_rate, options.learning_rate_min, epoch, options.epochs)
        rate = warm_up(rate, options.learning_rate, epoch, options.lr_warmup_epochs)
        set_learning_rate(self.weight_optimiser, rate)
        self.learning_rate = rate
        self.searching = epoch >= options.arch_warmup_epochs
        self.supernet.train()
        # Shown from here on: what the last epoch's genotype costs.
        self.notes = {"derived network": self.costs.note(self.costs.derive("present"))}

    def step(self) -> Mapping[str, Tensor]:
        training = Batch(*self.training.next_batch())
        self.supernet.sample_channels(self.streams["channels"])
        validation = Batch(*self.validation.next_batch()) if self.searching else None
        return self.iteration(training, validation)

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        every = self.options.validate_every
        last = epoch + 1 == self.epochs
        metrics: dict[str, Any] = {}
        if last or (every and (epoch + 1) % every == 0):
            metrics.update(self.validate())
        if not distributed.is_main():
            return metrics
        genotype = self.derive(run, epoch + 1)
        save_genotype(genotype, run.epoch_genotype(epoch + 1))
        save_genotype(genotype, run.genotype)
        tables = self.architecture.fixed_tables()
        histograms = {}
        described: dict[str, Any] = {}
        for kind in KINDS:
            table = tables[kind]
            histograms[f"alpha/{kind}"] = table.operations
            described[kind] = {"operations": table.operations.tolist()}
            if table.edges is not None:
                histograms[f"beta/{kind}"] = table.edges
                described[kind]["edges"] = table.edges.tolist()
        tracker.histograms(histograms, step)
        costs = self.costs.metrics(genotype)
        tracker.scalars({f"cost/{name}": value for name, value in costs.items()}, step)
        self.costs.write(run)
        if self.on_epoch is not None:
            self.on_epoch(run, tracker, epoch + 1, step, genotype)
        return {**metrics, **costs, "architecture": described, "genotype": genotype.as_dict()}

    def derive(self, run: RunDirectory, epochs: int) -> Genotype:
        """The genotype after so many epochs, with its provenance."""
        options = self.options
        provenance = {
            "source": f"searched by {options.method}, order {options.order}, K = {options.k}",
            "searched_on": options.dataset,
            "stem": choose_stem(options.stem, self.dataset.image_size),
            "epochs": epochs,
            "seed": options.seed,
        }
        return replace(self.costs.derive(run.path.name), provenance=provenance)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss and accuracy (%) of the supernet on the architecture's images, not augmented."""
        self.supernet.eval()
        tables = self.architecture.tables()
        loss = correct = 0.0
        own = self.validation_indices[distributed.rank() :: distributed.world()]
        for images, labels in evaluation_batches(
            self.dataset.train,
            max(1, self.options.batch_size // distributed.world()),
            self.device,
            evaluation_transform(self.dataset),
            indices=own,
            dtype=dtype_of(self.options.precision),
        ):
            with precision_context(self.options.precision, self.device):
                logits = self.supernet(images, tables)
            loss += functional.cross_entropy(logits, labels, reduction="sum").item()
            correct += (logits.argmax(1) == labels).sum().item()
        self.supernet.train()
        loss, correct = distributed.total([loss, correct])
        total = len(self.validation_indices)
        return {"validation_loss": loss / total, "validation_accuracy": 100 * correct / total}

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return self.supernet, self.architecture

    def memory_advice(self) -> str:
        return memory_advice(self.options, self.architecture, self.dataset)

    def is_finite(self) -> bool:
        return all_finite((*self.supernet.parameters(), *self.architecture.parameters()))

    _PARTS = (
        "supernet",
        "architecture",
        "weight_optimiser",
        "architecture_optimiser",
        "training",
        "validation",
        "streams",
        "costs",
    )

    def state_dict(self) -> dict[str, Any]:
        return {part: getattr(self, part).state_dict() for part in self._PARTS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for part in self._PARTS:
            if part.endswith("optimiser"):
                restore(getattr(self, part), state[part])
            else:
                getattr(self, part).load_state_dict(state[part])
        if isinstance(self.iteration, RecordedIteration):
            self.iteration.forget()  # Its graph knows the old state's addresses.


def run_search(options: SearchOptions, on_epoch: EpochHook | None = None) -> SearchResult:
    """Search a cell; with `options.resume`, go on with the search in that run directory.

    `options` of a resumed run must be those that its `config.yaml` holds.

    Raises:
        UserError: A setting, the data or the run directory is wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    check_options(options)
    # Before anything is written: wrong settings or data leave no run directory behind.
    task = SearchTask(options, on_epoch)
    run, loop = run_task(task, "search", task.options, prepare=task.record_images)
    genotype = task.derive(run, options.epochs)
    accuracy = distributed.from_main(lambda: run.read_metrics()[-1]["validation_accuracy"])
    result = SearchResult(
        genotype=genotype,
        run_dir=run.path,
        validation_accuracy=accuracy,
        seconds=loop.seconds,
        peak_memory=peak_memory(task.device),
        derived=task.costs.result(genotype),
    )
    if not distributed.is_main():
        return result
    save_genotype(result.genotype, run.genotype)
    run.write_result(
        {
            "genotype": result.genotype.as_dict(),
            "epoch": options.epochs,
            "validation_accuracy": accuracy,
            "seconds": result.seconds,
            "peak_memory": result.peak_memory,
            "parameters": sum(p.numel() for p in task.supernet.parameters()),
            **task.dataset.counts(),
            "derived": result.derived,
        }
    )
    return result
