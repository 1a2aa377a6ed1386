"""What keeps skip connections from winning: an auxiliary skip beside the candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from darts.methods.relaxation import Progress


@dataclass(frozen=True)
class AuxiliarySkip:
    """A skip connection beside the candidates of every edge, whose weight decays to 0 (DARTS-).

        y_e = sum over o of w[e, o] · o(x)  +  beta(t) · skip(x)

        linear: beta = 1 - t     cosine: (1 + cos(pi · t)) / 2     slow-cosine: cos(pi · t / 2)

    t = e / E is the epoch over the number of epochs, so the last epoch has not quite 0. On edges
    with stride 2 the skip is a factorised reduction with weights of its own. beta is not learned,
    and the skip is no part of the genotype.

    Source: DARTS- (Chu et al. 2021, arXiv 2009.01027, §3.3, Eq. 8) and its code.

    >>> AuxiliarySkip()(Progress(epoch=25, epochs=50))
    0.5

    Attributes:
        schedule: How beta falls.
        start: Factor of beta.
    """

    schedule: Literal["linear", "cosine", "slow-cosine"] = "linear"
    start: float = 1.0

    def __call__(self, progress: Progress) -> float:
        time = progress.epoch / progress.epochs
        if self.schedule == "linear":
            return self.start * (1 - time)
        if self.schedule == "cosine":
            return self.start * (1 + math.cos(math.pi * time)) / 2
        return self.start * math.cos(math.pi * time / 2)


@dataclass(frozen=True)
class SkipDropout:
    """Dropout after every skip connection with stride 1; its rate falls during the search.

    It is the dropout of one P-DARTS stage; see `darts.methods.stages.skip_dropout_rate`.

    Source: P-DARTS (arXiv 1904.12760, §3.3) and the authors' code.

    Attributes:
        rate: Rate in the first epoch in which alpha is trained.
    """

    rate: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"the rate must be between 0 and 1, not {self.rate}")
