"""The dominant eigenvalue of the validation loss in alpha: a measure of how sharp a minimum is.

A search that collapses into skip connections moves to sharp minima first: the eigenvalue rises
before the derived cells get worse (Zela et al. 2020, arXiv 1909.09656, §4). The Hessian itself is
never built: Lanczos' method needs only its products with vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from darts.methods.derivatives import Values, detached, loss_of, mean_curvature
from darts.methods.gradient import Bilevel, LabelledBatch

_ALPHA = "alpha."


class Eigenvalue(NamedTuple):
    """An eigenvalue and how well it is known.

    Attributes:
        value: The eigenvalue.
        residual: |H q - value · q| of the unit eigenvector q found: there is an eigenvalue within
            this distance of `value`.
        products: Number of products of the matrix and a vector that it took.
    """

    value: float
    residual: float
    products: int


@dataclass(frozen=True)
class DominantEigenvalue:
    """The largest eigenvalue of d2L_val/dalpha2, alphas of all kinds of cell together.

        H = d2L_val(w, alpha)/dalpha2 + ridge · I

    The weights are fixed and beta is no variable. Batch norms use the statistics of the batch, and
    running statistics stay as they are. A softmax does not change if a constant is added to a row
    of alpha, so H has one eigenvalue `ridge` for every row.

    Source: RobustDARTS (Zela et al. 2020, arXiv 1909.09656, §4.1) and its code, which builds the
    full Hessian from the last validation batch of an epoch and adds the weight decay of alpha.

    >>> DominantEigenvalue().ridge  # `measure_eigenvalue` has an example of a product.
    0.001

    Attributes:
        ridge: Added to all eigenvalues; 0 for the loss alone.
        tolerance: Lanczos' method ends once the residual is below `tolerance · |value|`. The
            relative error of the value is then of the order of the square of that.
        most: Most products of H and a vector; 0 for as many as there are alphas.
    """

    ridge: float = 1e-3
    tolerance: float = 1e-2
    most: int = 0

    def __post_init__(self) -> None:
        if self.tolerance <= 0 or self.most < 0:
            raise ValueError("tolerance must be positive, and most must not be negative")

    def __call__(self, problem: Bilevel, batch: LabelledBatch) -> Eigenvalue:
        """The eigenvalue on one batch at the present weights and alphas."""
        fixed = detached(problem.architecture)
        alpha = {name: value for name, value in fixed.items() if name.startswith(_ALPHA)}
        sizes = [value.numel() for value in alpha.values()]
        weights = detached(problem.supernet)
        losses = [
            partial(_with_alpha, loss_of(problem, part), weights, fixed)
            for part in batch.split(problem.parts)
        ]
        multiply = mean_curvature(losses, alpha)

        def product(vector: Tensor) -> Tensor:
            pieces = zip(alpha.items(), vector.split(sizes), strict=True)
            direction = {name: piece.view_as(value).to(value) for (name, value), piece in pieces}
            found = multiply(direction)
            flat = [found[name].flatten() for name in alpha]
            problem.reduce(flat)
            return torch.cat(flat).double().cpu() + self.ridge * vector

        return measure_eigenvalue(
            product, sum(sizes), tolerance=self.tolerance, most=self.most or sum(sizes)
        )


def _with_alpha(
    loss: Callable[[Values, Values], Tensor], weights: Values, fixed: Values, alpha: Values
) -> Tensor:
    return loss(weights, {**fixed, **alpha})


def measure_eigenvalue(
    product: Callable[[Tensor], Tensor], size: int, *, tolerance: float, most: int
) -> Eigenvalue:
    """The largest eigenvalue of a symmetric matrix that is only known by its products.

    Lanczos' method with full reorthogonalisation, in float64: after n products it knows the
    eigenvalues of the matrix within the span of v, Hv, …, H^(n-1) v, of which the outer ones
    converge first. The first vector v is random, but always the same one.

    >>> matrix = torch.diag(torch.tensor([1.0, 5.0, -9.0], dtype=torch.float64))
    >>> found = measure_eigenvalue(lambda v: matrix @ v, 3, tolerance=1e-9, most=3)
    >>> round(found.value, 9), found.products
    (5.0, 3)

    Args:
        product: Multiplies the matrix by a vector `[size]` in float64 on the CPU.
        size: Rows of the matrix.
        tolerance: Residual to reach, relative to the eigenvalue.
        most: Most products.
    """
    start = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = [start / torch.linalg.vector_norm(start)]
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        after = product(basis[-1])
        diagonal.append(torch.dot(after, basis[-1]).item())
        known = torch.stack(basis)
        for _ in range(2):  # Once is not enough in floating point.
            after = after - known.T @ (known @ after)
        rest = torch.linalg.vector_norm(after).item()
        value, last = _largest(diagonal, beside)
        residual, steps = rest * abs(last), len(diagonal)
        scale = max(map(abs, (*diagonal, *beside)), default=0.0)
        exhausted = rest <= size * torch.finfo(torch.float64).eps * scale
        if exhausted or residual <= tolerance * abs(value) or steps >= min(most, size):
            return Eigenvalue(value, residual, steps)
        beside.append(rest)
        basis.append(after / rest)


def _largest(diagonal: list[float], beside: list[float]) -> tuple[float, float]:
    """The largest eigenvalue of a tridiagonal matrix, and the last entry of its eigenvector."""
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if beside:
        matrix += torch.diag(torch.tensor(beside, dtype=torch.float64), 1)
        matrix += torch.diag(torch.tensor(beside, dtype=torch.float64), -1)
    values, vectors = torch.linalg.eigh(matrix)
    return values[-1].item(), vectors[-1, -1].item()
