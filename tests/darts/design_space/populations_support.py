"""Synthetic populations: networks of real spaces, with errors that depend on their shape."""

import numpy as np

from darts.design_space.budget import Budget
from darts.design_space.linear_fit import fit_lines
from darts.design_space.population import Population
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space


def make_population(
    space: str, count: int, *, macs: float = 40e6, seed: int = 0, base: float = 38.0
) -> Population:
    """`count` networks for images of 32 pixels; the error grows with e_fit."""
    generator = np.random.default_rng(seed)
    drawn = sample(
        create_space(space, stem="cifar", stem_width=16),
        count,
        generator,
        budget=Budget.around(macs),
        resolution=32,
        num_classes=10,
    )
    configs = tuple(one.config for one in drawn)
    fits = np.array([fit.error for fit in fit_lines(configs)])
    properties = {
        name: np.array([getattr(one.cost, name) for one in drawn], np.float64)
        for name in ("params", "macs", "activations")
    }
    if drawn[0].regnet:
        for name in ("w0", "wa", "wm"):
            properties[name] = np.array([getattr(one.regnet, name) for one in drawn])
    return Population(
        name=space,
        errors=np.clip(base + 8 * fits + generator.gamma(1.5, 1.5, count), 0, 100),
        properties=properties,
        configs=configs,
        labels=tuple(f"{space}-{number:03d}" for number in range(count)),
        recipe={"dataset": "digits", "epochs": 10},
    )
