"""Drop path, dropout and noise, with random numbers from an explicit source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Masks = Callable[[Sequence[int], float], Tensor]
Noise = torch.Generator | Masks
"""Source of dropout masks: a generator, or a function (shape, p) -> mask of 0 and 1 / (1 - p)."""


class PartGenerator(torch.Generator):
    """A generator that samples for a batch of `parts` equal parts and returns part `index`.

    A batch may be split over several processes or computed one part after the other. If all parts
    start from the same state, together they get the numbers that the undivided batch would get.

    >>> state = torch.Generator().manual_seed(0).get_state()
    >>> parts = [draw_uniform((2,), PartGenerator.starting_at(state, i, 2)) for i in range(2)]
    >>> torch.equal(torch.cat(parts), torch.rand(4, generator=torch.Generator().manual_seed(0)))
    True

    Attributes:
        index: The part that this generator samples for.
        parts: The number of parts of the batch.
    """

    index = 0
    parts = 1

    @classmethod
    def starting_at(cls, state: Tensor, index: int, parts: int) -> PartGenerator:
        """A generator on the CPU that continues from the state of another generator."""
        generator = cls()
        generator.set_state(state)
        generator.index, generator.parts = index, parts
        return generator


def draw_uniform(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Uniform [0, 1) numbers `[B, ...]` for this part of the batch, on the generator's device."""
    index, parts = 0, 1
    if isinstance(generator, PartGenerator):
        index, parts = generator.index, generator.parts
    return torch.rand((parts, *shape), generator=generator, device=generator.device)[index]


def draw_normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Normal numbers N(0, 1) `[B, ...]` for this part of the batch, on the generator's device."""
    index, parts = 0, 1
    if isinstance(generator, PartGenerator):
        index, parts = generator.index, generator.parts
    return torch.randn((parts, *shape), generator=generator, device=generator.device)[index]


class RandomModule(nn.Module):
    """Base of modules that draw random numbers inside a network.

    The network hands them its generator with `hand_generator`. A module that got none draws from a
    generator of its own with seed 0.

    >>> module = RandomModule()
    >>> hand_generator(nn.Sequential(module), given := torch.Generator())
    >>> module.generator is given
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self._generator: torch.Generator | None = None

    @property
    def generator(self) -> torch.Generator:
        """Where the numbers come from."""
        if self._generator is None:
            self._generator = torch.Generator().manual_seed(0)
        return self._generator

    @generator.setter
    def generator(self, generator: torch.Generator) -> None:
        self._generator = generator


def hand_generator(module: nn.Module, generator: torch.Generator) -> None:
    """Let all random modules in `module` draw from this generator."""
    for part in module.modules():
        if isinstance(part, RandomModule):
            part.generator = generator


def draw_mask(shape: Sequence[int], probability: float, generator: torch.Generator) -> Tensor:
    """A boolean mask of `shape`: each entry is True (kept) with 1 - probability."""
    return draw_uniform(shape, generator) < 1.0 - probability


def needed_noise(
    training: bool, drop_path: float, dropout: float, noise: Noise | None
) -> Noise | None:
    """The source of masks for a forward pass, or None if nothing is dropped.

    A function that returns ready-made masks is used even if both probabilities are 0, because it
    decides about the probabilities itself.

    >>> needed_noise(False, 0.2, 0.0, None) is None
    True

    Raises:
        ValueError: A probability is not 0, but there is no source of masks.
    """
    if not training:
        return None
    if noise is None and (drop_path or dropout):
        raise ValueError("Drop path and dropout need a random generator.")
    return None if isinstance(noise, torch.Generator) and not (drop_path or dropout) else noise


def drop_path(x: Tensor, probability: float, noise: Noise) -> Tensor:
    """Set whole samples of `x` `[B, ...]` to zero and scale the other samples by 1 / (1 - p).

        y_b = x_b · m_b / (1 - p),  m_b ~ Bernoulli(1 - p)

    The expected value of y is x. Source: FractalNet (arXiv 1605.07648), in the form of DARTS'
    utils.py. The mask is sampled on the generator's device.

    >>> drop_path(torch.ones(4, 1), 0.5, torch.Generator().manual_seed(0)).flatten().tolist()
    [2.0, 0.0, 2.0, 2.0]

    Raises:
        ValueError: The probability is outside [0, 1).
    """
    mask = path_mask(x, probability, noise)
    return x if mask is None else x * mask


def path_mask(x: Tensor, probability: float, noise: Noise) -> Tensor | None:
    """The factors `[B, 1, ...]` with which `drop_path` multiplies `x` `[B, ...]`; None for ones.

    >>> path_mask(torch.ones(2, 3), 0.0, torch.Generator()) is None
    True

    Raises:
        ValueError: The probability is outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A drop path probability must be in [0, 1), not {probability}.")
    if probability == 0.0 and isinstance(noise, torch.Generator):
        return None
    return _mask(x, (x.shape[0], *[1] * (x.dim() - 1)), probability, noise)


def dropout(x: Tensor, probability: float, noise: Noise) -> Tensor:
    """Set elements of `x` to zero and scale the other elements by 1 / (1 - probability).

    This is `torch.nn.functional.dropout` with a mask from `noise`. The mask is sampled on the
    generator's device.

    >>> sorted(set(dropout(torch.ones(100), 0.5, torch.Generator().manual_seed(0)).tolist()))
    [0.0, 2.0]

    Raises:
        ValueError: The probability is outside [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"A dropout probability must be in [0, 1), not {probability}.")
    if probability == 0.0:
        return x
    return x * _mask(x, x.shape, probability, noise)


def _mask(x: Tensor, shape: Sequence[int], probability: float, noise: Noise) -> Tensor:
    if not isinstance(noise, torch.Generator):
        return noise(shape, probability).to(x.dtype)
    kept = draw_mask(shape, probability, noise).to(x.device, x.dtype, non_blocking=True)
    return kept / (1.0 - probability)
