"""The networks to score: named models and sampled cells, with fresh weights from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.models.registry import Model, create_network, find_model
from darts.models.stems import choose_stem
from darts.proxies.options import ScoreOptions
from darts.system.randomness import stream_seed
from genotypes import Genotype, find_space, random_genotype
from genotypes.nasbench201 import all_cells, arch_string, genotype_of, has_dead_edge
from genotypes.published_spaces import NASBENCH201
from ops.initialise import initialise


@dataclass(frozen=True)
class ScoreCandidate:
    """A network to score.

    Attributes:
        name: What the user sees.
        model: The genotype or config.
    """

    name: str
    model: Model

    @property
    def arch(self) -> str | None:
        """The string of a cell of NAS-Bench-201."""
        if isinstance(self.model, Genotype) and self.model.rules == NASBENCH201:
            return arch_string(self.model)
        return None


def list_candidates(options: ScoreOptions) -> list[ScoreCandidate]:
    """The named models, then the sampled cells.

    >>> listed = list_candidates(ScoreOptions(models=("resnet50",), sample=1, space="nasbench201"))
    >>> [candidate.name for candidate in listed]
    ['resnet50', 'nb201-3040']

    Raises:
        UserError, GenotypeError: There is no such model or space, or too few cells.
    """
    return [ScoreCandidate(name, find_model(name)) for name in options.models] + sample_cells(
        options
    )


def sample_cells(options: ScoreOptions) -> list[ScoreCandidate]:
    """`options.sample` uniformly sampled cells of a space.

    Cells of NAS-Bench-201 are distinct. Those of other spaces are drawn independently of each
    other, as `genotypes.random_genotype` draws them.

    Raises:
        UserError: The space has fewer cells.
    """
    if not options.sample:
        return []
    space = find_space(options.space)
    generator = torch.Generator().manual_seed(stream_seed(options.seed, "genotypes"))
    if space != NASBENCH201:
        nodes = options.nodes or space.nodes or 4
        names = [f"random-{options.seed}-{number}" for number in range(options.sample)]
        return [
            ScoreCandidate(name, random_genotype(nodes, generator, name, space)) for name in names
        ]
    known = _cells_without_dead_edges() if options.no_dead_edges else all_cells()
    if options.sample > len(known):
        raise UserError(f"--sample {options.sample}: there are only {len(known):,} such cells.")
    chosen = torch.randperm(len(known), generator=generator)[: options.sample].tolist()
    cells = [genotype_of(known[number]) for number in chosen]
    return [ScoreCandidate(genotype.name, genotype) for genotype in cells]


@cache
def _cells_without_dead_edges() -> tuple[tuple[str, ...], ...]:
    return tuple(cell for cell in all_cells() if not has_dead_edge(cell))


def create_candidate(
    candidate: ScoreCandidate,
    options: ScoreOptions,
    seed: int,
    *,
    classes: int | None,
    image_size: int | None,
) -> Classifier:
    """The network of a candidate with initial weights from `seed`; torch's global one is untouched.

    Args:
        candidate: The model.
        options: Stem, channels, layers and kind of initial weights.
        seed: Seed of the weights.
        classes: Number of classes; None for the network's own.
        image_size: Size of the data set's images, which chooses the stem; None for the network's.
    """
    stem = options.stem
    if stem is None and image_size is not None:
        stem = choose_stem("auto", image_size)
    cells = isinstance(candidate.model, Genotype)
    generator = torch.Generator().manual_seed(stream_seed(seed, "weights"))
    with torch.random.fork_rng([]):
        network = create_network(
            candidate.model,
            num_classes=classes,
            channels=options.channels if cells else None,
            layers=options.layers if cells else None,
            stem=stem,
            generator=generator,
        )
    if options.init == "framework":
        initialise_by_framework(network, seed)
    return network


def initialise_by_framework(network: nn.Module, seed: int) -> None:
    """Initialise kernels and biases with torch's default distributions, and reset batch norms."""
    initialise(network, torch.Generator().manual_seed(stream_seed(seed, "weights")))
    for part in network.modules():
        if isinstance(part, _BatchNorm):
            part.reset_parameters()
