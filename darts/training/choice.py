"""What a retraining's options name: the model, and options that fit it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from darts.errors import UserError
from darts.models.registry import Model, find_model, model_from_description
from darts.models.staged_config import StagedConfig
from darts.models.weights.foreign import ForeignWeights, read_foreign
from darts.runs.checkpoints import has_begun
from darts.training.options import TrainingOptions
from darts.training.pretrained import is_run, trained_state
from genotypes import Genotype, load_genotype


@dataclass(frozen=True)
class TrainingPlan:
    """A retraining before it starts; nothing is left to be looked up.

    Attributes:
        model: The genotype or the config of the network.
        options: The options, with the sizes of the network in `options.pretrained` where that
            network is the one to train.
    """

    model: Model
    options: TrainingOptions


def plan_training(options: TrainingOptions) -> TrainingPlan:
    """Find the model that the options name: each file is read once, here.

    The model is that of the run to continue (`resume`), else `model` or `genotype`, else that of
    the run in `pretrained`.

    Raises:
        UserError: The options name no model, two, or an unknown one; or a run has no complete
            checkpoint of a retraining.
        GenotypeError: There is no such genotype, or its file is wrong.
    """
    if options.resume is not None and has_begun(options.resume):
        # The checkpoint's own model: the file may have changed since the run began.
        description = trained_state(options.resume)["description"]
        return TrainingPlan(model_from_description(description), options)
    if options.genotype is not None and options.model is not None:
        raise UserError("--genotype and --model: one network is trained; give one of the two.")
    model: Model | None = None
    if options.model is not None:
        model = find_model(options.model)
    elif options.genotype is not None:
        model = load_genotype(options.genotype)
    if options.pretrained is not None and not is_run(options.pretrained):
        foreign = read_foreign(options.pretrained, options.pretrained_as)
        return _plan_of_foreign(options, foreign, model)
    if model is not None:
        return TrainingPlan(model, options)
    if options.pretrained is not None:
        return _plan_of_pretrained(options, options.pretrained)
    raise UserError(
        "--genotype: which cell? Give a name (python -m darts genotypes lists them) or a "
        "file, such as RUN_DIR/genotype.yaml of a search. For another network: --model."
    )


def _plan_of_pretrained(options: TrainingOptions, checkpoint: str) -> TrainingPlan:
    """The network of a trained run, at its size and with its stem."""
    description = trained_state(checkpoint)["description"]
    model = model_from_description(description)
    if not isinstance(model, Genotype):
        return TrainingPlan(model, replace(options, stem=model.setting))
    sizes = {name: description[name] for name in ("channels", "layers", "stem")}
    return TrainingPlan(model, replace(options, **sizes))


def _plan_of_foreign(
    options: TrainingOptions, foreign: ForeignWeights, model: Model | None
) -> TrainingPlan:
    """The network of another program's weights, or `model` with what these weights need.

    Sizes and the stem are those of the file, where the options leave them open.
    """
    model = foreign.config() if model is None else model
    if isinstance(model, StagedConfig):
        model = foreign.adapted(model)
        stem = model.setting if options.stem == "auto" else options.stem
        return TrainingPlan(model, replace(options, stem=stem))
    sizes = foreign.cell_sizes()
    open_ones = {
        name: value for name, value in sizes.items() if getattr(options, name) in (None, "auto")
    }
    return TrainingPlan(model, replace(options, **open_ones))
