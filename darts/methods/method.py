"""A search method: the parts that make one method differ from another, joined."""

from __future__ import annotations

from dataclasses import dataclass

from darts.errors import UserError
from darts.methods.alignment import WeightRegulariser
from darts.methods.compatibility import conflict
from darts.methods.freezing import OperationFreezing
from darts.methods.gradient import Fixed, Gradient
from darts.methods.perturbation import Perturbation
from darts.methods.regularisers import Regulariser
from darts.methods.relaxation import Relaxation
from darts.methods.selection import Selection
from darts.methods.skips import AuxiliarySkip, SkipDropout
from darts.methods.stages import Stages
from darts.methods.stopping import Stopping


@dataclass(frozen=True, kw_only=True)
class Method:
    """A differentiable search method.

    Parts see tensors, a topology, a space and callables: no data, run, model or back end. Most
    methods only change the table of weights that the supernet reads once per step, so the fast
    back ends serve them all.

    >>> from darts.methods.catalogue import create_method
    >>> method = create_method("pc-darts", edge_normalisation=True, order=1)
    >>> method.relaxation, method.gradient, method.recordable
    (Softmax(edge_normalisation=True), FirstOrder(), True)

    Attributes:
        name: Name of the method in the catalogue.
        relaxation: alpha and beta -> weights of the edges.
        gradient: The gradient of the validation loss with respect to alpha and beta.
        selection: Strengths of the edges -> genotype.
        regularisers: Terms that are added to the validation loss or to the gradient of the
            weights, and the rule that freezes weights.
        perturbation: Changes the weights of the edges for the weight step.
        skips: What keeps skip connections from winning.
        stages: The stages of a progressive search.
        stopping: Ends a search early.
    """

    name: str
    relaxation: Relaxation
    gradient: Gradient
    selection: Selection
    regularisers: tuple[Regulariser | WeightRegulariser | OperationFreezing, ...] = ()
    perturbation: Perturbation | None = None
    skips: tuple[AuxiliarySkip | SkipDropout, ...] = ()
    stages: Stages | None = None
    stopping: Stopping | None = None

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph can record an iteration: whether all parts allow it."""
        regularisers = all(part.recordable for part in self.regularisers)
        plain = not (self.skips or self.stages or self.perturbation)
        return plain and self.relaxation.recordable and self.gradient.recordable and regularisers

    @property
    def trains_architecture(self) -> bool:
        """Whether alpha and beta are trained at all."""
        return not isinstance(self.gradient, Fixed)

    def check(self) -> None:
        """Check that the parts work together.

        Raises:
            UserError: They do not; the message says why and what to do.
        """
        reason = conflict(self)
        if reason is not None:
            raise UserError(f"Method {self.name}: {reason}")
