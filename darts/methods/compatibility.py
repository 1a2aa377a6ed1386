"""Which parts of search methods do not work together, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darts.methods.alignment import WeightRegulariser
from darts.methods.dirichlet import Dirichlet
from darts.methods.freezing import OperationFreezing
from darts.methods.gradient import FirstOrder, SingleLevel
from darts.methods.paths import UniformPath
from darts.methods.regularisers import DirichletKL, ZeroOne
from darts.methods.relaxation import Sigmoid
from darts.methods.stopping import EIGENVALUE

if TYPE_CHECKING:
    from darts.methods.method import Method


def conflict(method: Method) -> str | None:
    """Why the parts of a method do not work together, as a sentence; None if they do.

    >>> from dataclasses import replace
    >>> from darts.methods.catalogue import create_method
    >>> method = create_method("darts", edge_normalisation=False, order=1)
    >>> conflict(replace(method, regularisers=(ZeroOne(),)))
    'The regulariser zero-one acts on sigmoid weights: it needs the relaxation sigmoid.'
    """
    return _of_weights(method) or _of_relaxation(method) or _of_selection(method)


def _of_weights(method: Method) -> str | None:
    """Conflicts of what changes the weight step."""
    relaxation, gradient = method.relaxation, method.gradient
    freezing = [part for part in method.regularisers if isinstance(part, OperationFreezing)]
    aligning = [part for part in method.regularisers if isinstance(part, WeightRegulariser)]
    if method.perturbation is not None and (
        relaxation.stochastic or isinstance(relaxation, Sigmoid)
    ):
        return (
            "A perturbation changes the distribution of weights on each edge: it needs the "
            "relaxation softmax."
        )
    if (freezing or aligning) and relaxation.stochastic:
        name = "freezing" if freezing else type(aligning[0]).__name__
        return (
            f"The regulariser {name} compares gradients of all operations: it needs a relaxation "
            "without random numbers, such as softmax."
        )
    if len(freezing) > 1:
        return "Weights can be frozen by one rule only: name the regulariser freezing once."
    if freezing and type(gradient) is not FirstOrder:
        return (
            "The regulariser freezing compares the weights' gradients of the architecture step: it "
            "needs the gradient first-order."
        )
    if isinstance(gradient, SingleLevel) and (aligning or method.perturbation is not None):
        return (
            "The gradient single-level has one step for weights and architecture: it cannot be "
            "combined with a perturbation or with a regulariser of the weights."
        )
    return None


def _of_relaxation(method: Method) -> str | None:
    """Conflicts of what depends on the form of the weights."""
    relaxation = method.relaxation
    if method.gradient.needs_fixed_weights and relaxation.stochastic:
        return (
            "The gradient subtracts losses of several passes: it needs a relaxation without random "
            "numbers, such as softmax, or the gradient first-order."
        )
    if isinstance(relaxation, UniformPath) and method.trains_architecture:
        return "A uniform path has no alpha to learn: it needs the gradient fixed."
    for part in method.regularisers:
        if isinstance(part, ZeroOne) and not isinstance(relaxation, Sigmoid):
            return (
                "The regulariser zero-one acts on sigmoid weights: it needs the relaxation sigmoid."
            )
        if isinstance(part, DirichletKL) and not isinstance(relaxation, Dirichlet):
            return (
                "The regulariser dirichlet-kl acts on concentrations: it needs the relaxation "
                "dirichlet."
            )
    return None


def _of_selection(method: Method) -> str | None:
    """Conflicts of how a search ends."""
    selection, stopping = method.selection, method.stopping
    if stopping is not None and EIGENVALUE in stopping.measures and method.relaxation.stochastic:
        return (
            "The eigenvalue is that of a loss without random numbers: it needs a relaxation such "
            "as softmax. The rule skip-count works with all of them."
        )
    if not method.trains_architecture and not selection.evaluates:
        return (
            "alpha is not trained, so it cannot choose a cell: the gradient fixed needs a "
            "selection that evaluates the supernet, best-child or projection."
        )
    if selection.evaluates and (method.stages is not None or stopping is not None):
        return (
            "This selection evaluates the supernet after its last epoch: it cannot be combined "
            "with stages or a stopping rule."
        )
    return None
