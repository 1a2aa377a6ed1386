"""Adapts the recipe that all networks of a study share to the data set."""

from __future__ import annotations

from darts.comparing.recipe_options import RecipeStudyOptions
from darts.data.facts import announce
from darts.settings.origins import Origins
from darts.training.fitting import fitted_training


def fit_study(options: RecipeStudyOptions, origins: Origins) -> RecipeStudyOptions:
    """Fit what neither the user nor a recipe of the study sets, and say what was changed.

    Raises:
        UserError: What the user set does not fit, or the data are wrong.
    """
    if options.resume is not None or not options.cells:
        return options
    fitting = fitted_training(options, origins, options.judged[0])
    announce(fitting)
    return fitting.options
