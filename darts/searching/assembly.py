"""Assembly of a search: the one place that joins method, search space, supernet and back end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from cells.stacked import stacked_operations
from cells.topology import Topology
from darts.costs.ceilings import CostAwareness, CostPenalty
from darts.costs.tables import target_of
from darts.data.dataset import Dataset
from darts.errors import UserError
from darts.methods.architecture import Architecture
from darts.methods.catalogue import create_method
from darts.methods.freezing import Freezer
from darts.methods.gradient import Bilevel
from darts.methods.method import Method
from darts.methods.skips import AuxiliarySkip
from darts.methods.stages import SearchStage
from darts.models.stems import check_image_size, choose_stem
from darts.runs.optimisers import create_adam, create_sgd
from darts.searching.iteration import Iteration, StepSettings, create_iteration
from darts.searching.options import SearchOptions
from darts.searching.recording import CudaGraphs, RecordedIteration, Step, wants_graphs
from darts.searching.search_network import SearchNetwork
from darts.searching.selecting import started
from darts.searching.staging import NETWORK_NOISE, extra_streams
from darts.searching.supernets import create_supernet
from darts.system import distributed
from darts.system.device import dtype_of, precision_context
from darts.system.randomness import RandomStreams
from genotypes.search_space import DARTS, SearchSpace
from ops.initialise import initialise
from ops.sync_norm import synchronise_norms


@dataclass(frozen=True)
class Assembled:
    """The parts of a search, ready for its first step.

    Attributes:
        options: The options, with the back end that was chosen.
        method: The search method.
        architecture: alpha and beta.
        supernet: The network whose weights all derived networks share.
        weight_optimiser: SGD on the supernet's weights.
        architecture_optimiser: Adam on alpha and beta.
        costs: Cost of the derived network.
        problem: What both steps of an iteration share.
        iteration: One iteration: (training batch, validation batch or None) -> scalars.
        freezer: Knows which weights are frozen; None without freezing.
    """

    options: SearchOptions
    method: Method
    architecture: Architecture
    supernet: SearchNetwork
    weight_optimiser: torch.optim.SGD
    architecture_optimiser: torch.optim.Optimizer
    costs: CostAwareness
    problem: Bilevel
    iteration: Step
    freezer: Freezer | None = None

    @property
    def title(self) -> str:
        """Kind of the run, for the progress line."""
        graphs = ", CUDA graphs" if isinstance(self.iteration, RecordedIteration) else ""
        return f"search ({self.options.backend}{graphs})"


def assemble(
    options: SearchOptions,
    dataset: Dataset,
    device: torch.device,
    streams: RandomStreams,
    *,
    steps_per_epoch: int,
    space: SearchSpace = DARTS,
    method: Method | None = None,
    stage: SearchStage | None = None,
    measured: bool = True,
    class_weights: Tensor | None = None,
) -> Assembled:
    """Build everything that a search trains.

    Args:
        options: Method, sizes, optimisers, costs, back end.
        dataset: Gives the image size and the number of classes.
        device: Where the search computes.
        streams: `architecture` and `weights` are the sources of the initial values, `relaxation`
            of what a stochastic relaxation draws.
        steps_per_epoch: Sets the pace of the dual ascent towards a ceiling of costs.
        space: The cells that are searched.
        method: The search method; by default the one that `options.method` names.
        stage: The stage of a progressive search; it changes depth and K of the supernet.
        measured: Whether latencies may be measured; otherwise they come from a checkpoint.
        class_weights: Weights of the classes in the loss.

    Raises:
        UserError: The space has cells that the supernet cannot build, the images do not suit the
            supernet, or no network satisfies a ceiling.
    """
    _check_space(space, options)
    method = method or method_of(options)
    architecture = _create_architecture(options, space, method, streams)
    sizes = options if stage is None else _at_stage(options, stage)
    supernet = _create_supernet(sizes, architecture, dataset, device, streams["weights"])
    if NETWORK_NOISE in extra_streams(method, options, space):
        supernet.generator = streams[NETWORK_NOISE]
    architecture.to(device, dtype_of(options.precision))
    # A resumed run must compute in the same way.
    options = replace(options, backend=supernet.backend)
    weight_optimiser, architecture_optimiser = _create_optimisers(
        options, supernet, architecture, device
    )
    searched_epochs = max(options.epochs - options.arch_warmup_epochs, 0)
    costs = CostAwareness(
        options,
        architecture,
        target_of(options, choose_stem(options.stem, dataset.image_size), dataset, space),
        device=device,
        steps=searched_epochs * steps_per_epoch,
        measured=measured,
    )
    if costs.penalises:
        regularisers = (*method.regularisers, CostPenalty(costs))
        method = replace(method, regularisers=regularisers)
    problem = Bilevel(
        supernet,
        architecture,
        weight_optimiser,
        partial(dataset.target.loss, weights=class_weights),
        context=partial(precision_context, options.precision, device),
        reduce=distributed.average,
        parts=options.accumulate,
        cells=supernet.kinds,
        noise=supernet.generator,
        target=dataset.target,
    )
    iteration = _create_iteration(options, method, problem, architecture_optimiser, streams)
    return Assembled(
        options,
        method,
        architecture,
        supernet,
        weight_optimiser,
        architecture_optimiser,
        costs,
        problem,
        _recorded(iteration.step, options, method.recordable and not supernet.generator, device),
        iteration.freezer,
    )


def method_of(options: SearchOptions) -> Method:
    """The method that the options describe.

    Raises:
        UserError: A part does not exist, or the parts do not work together.
    """
    return create_method(
        options.method,
        edge_normalisation=options.edge_normalisation,
        order=options.order,
        chosen=options.chosen_parts,
    )


def _at_stage(options: SearchOptions, stage: SearchStage) -> SearchOptions:
    """The options with the depth and K of a stage."""
    return replace(options, layers=options.layers + stage.added_layers, k=stage.k or options.k)


def _create_architecture(
    options: SearchOptions, space: SearchSpace, method: Method, streams: RandomStreams
) -> Architecture:
    topology = Topology(options.nodes, space.inputs)
    return Architecture(
        topology,
        space=space,
        relaxation=method.relaxation,
        selection=started(method.selection, topology, space),
        generator=streams["architecture"],
        noise=streams["relaxation"] if method.relaxation.stochastic else None,
        initial=(options.arch_init_mean, options.arch_init_std),
        auxiliary=next((skip for skip in method.skips if isinstance(skip, AuxiliarySkip)), None),
    )


def _check_space(space: SearchSpace, options: SearchOptions) -> None:
    if space.nodes not in (None, options.nodes):
        raise UserError(
            f"--nodes {options.nodes}: cells of the search space {space.name!r} have "
            f"{space.nodes} inner nodes."
        )


def _create_supernet(
    options: SearchOptions,
    architecture: Architecture,
    dataset: Dataset,
    device: torch.device,
    generator: torch.Generator,
) -> SearchNetwork:
    """The supernet with initial weights, on its device."""
    with distributed.one_first():  # The native back end may have to be compiled.
        supernet = create_supernet(
            architecture,
            channels=options.channels,
            layers=options.layers,
            k=options.k,
            num_classes=dataset.num_classes,
            stem=choose_stem(options.stem, dataset.image_size),
            sampling=options.sampling,
            backend=backend_of(options, device),
            device=device.type,
        )
    check_image_size(dataset.image_size, dataset.image_size, supernet.image_multiple)
    initialise(supernet, generator)
    supernet.recompute = options.recompute_cells
    if options.sync_norm and distributed.world() > 1:
        synchronise_norms(supernet)
    return supernet.to(device, dtype_of(options.precision)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def backend_of(options: SearchOptions, device: torch.device) -> str:
    """The back end to ask for; PyTorch instead of "auto" where native kernels cannot work."""
    if options.sync_norm and distributed.world() > 1:
        return "torch"  # The only one that asks each batch norm for its statistics.
    autocast = device.type == "cpu" and options.precision == "bf16"
    return "torch" if options.backend == "auto" and autocast else options.backend


def _create_optimisers(
    options: SearchOptions,
    supernet: SearchNetwork,
    architecture: Architecture,
    device: torch.device,
) -> tuple[torch.optim.SGD, torch.optim.Optimizer]:
    sgd = create_sgd(
        supernet.parameters(),
        learning_rate=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        nesterov=options.nesterov,
        device=device,
    )
    adam = create_adam(
        architecture.parameters(),
        learning_rate=options.arch_learning_rate,
        betas=options.arch_betas,
        weight_decay=options.arch_weight_decay,
        device=device,
    )
    return sgd, adam


def _create_iteration(
    options: SearchOptions,
    method: Method,
    problem: Bilevel,
    architecture_optimiser: torch.optim.Optimizer,
    streams: RandomStreams,
) -> Iteration:
    """The iteration of the method."""
    assert isinstance(problem.supernet, SearchNetwork)
    settings = StepSettings(
        clip=options.grad_clip or None,
        arch_clip=options.arch_grad_clip or None,
        weights_first=options.weights_first,
        noise=None if method.perturbation is None else streams["perturbation"],
    )
    cells = problem.supernet.search_cells
    return create_iteration(
        method, problem, architecture_optimiser, stacked_operations(cells), settings
    )


def _recorded(
    iteration: Step, options: SearchOptions, recordable: bool, device: torch.device
) -> Step:
    """The iteration as a CUDA graph where that is wanted and possible."""
    # A graph cannot record what processes exchange.
    alone = distributed.world() == 1
    if alone and wants_graphs(options.cuda_graphs, device, recordable):
        insist = options.cuda_graphs == "always"
        return RecordedIteration(iteration, CudaGraphs(device), insist=insist)
    return iteration
