"""Every model that the toolkit knows: the genotypes of the zoo and the networks of `FAMILIES`.

A model is a `Genotype` or the config of a network, a frozen dataclass of plain values. A new family
of networks is one `Family` object and one line: in `FAMILIES`, or a call of `register_family`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

import torch
import yaml

from darts.errors import UserError, state_of
from darts.files import atomic_write, read_yaml_file, user_path
from darts.models.anynet.family import ANYNET
from darts.models.classifier import Classifier
from darts.models.derived import SETTINGS, default_stem
from darts.models.family import Family
from darts.models.features import FeatureMaps
from darts.models.genotype_network import (
    CellNetwork,
    cell_network_from_description,
    create_cell_network,
    setting_of,
)
from darts.models.mbconv.family import MBCONV
from darts.models.staged_config import StagedConfig
from genotypes import Genotype, is_written, list_genotypes, load_genotype, parse_genotype
from genotypes.nasbench201 import find_cell
from ops.initialise import initialise

Model = Genotype | StagedConfig

FAMILIES: list[Family[Any]] = [
    ANYNET,
    MBCONV,
]


def register_family(family: Family[Any]) -> Family[Any]:
    """Make a family known to every command, for this process, and return it.

    >>> register_family(ANYNET) is ANYNET
    True

    Raises:
        ValueError: The key belongs to another family already.
    """
    known = {other.key: other for other in FAMILIES}
    if known.get(family.key, family) is not family:
        raise ValueError(f"There is already a family {family.key!r}.")
    if family.key not in known:
        FAMILIES.append(family)
    return family


def family_of(config: StagedConfig) -> Family[Any]:
    """The family that a config belongs to.

    Raises:
        UserError: The config's class is in no family.
    """
    for family in FAMILIES:
        if type(config) is family.config:
            return family
    raise UserError(f"{type(config).__name__} belongs to no family; see darts.models.registry.")


def list_models() -> tuple[str, ...]:
    """Names that `find_model` knows: the genotypes of the zoo, then the published networks."""
    return (*list_genotypes(), *_list_networks())


def _list_networks() -> tuple[str, ...]:
    return tuple(name for family in FAMILIES for name in family.names())


def find_model(model: str) -> Model:
    """The genotype or config of a name, of a YAML file, or of a cell of NAS-Bench-201.

    A file holds a genotype, or the description of a network as `save_model` writes it. A genotype
    may also be written out; see `genotypes.load_genotype`.

    >>> find_model("resnet50").depth
    16

    Raises:
        UserError: There is no such model, or the file describes an impossible one.
        GenotypeError: The file holds no genotype either.
    """
    for family in FAMILIES:
        if config := family.find(model):
            return config
    if (cell := find_cell(model)) is not None:
        return cell
    if is_written(model):
        return load_genotype(model)
    path = _path(model)
    if path.is_file() and (described := _described(path)):
        return described
    is_name = len(path.parts) == 1 and path.suffix not in (".yaml", ".yml") and not path.exists()
    if is_name and model not in list_genotypes():
        close = difflib.get_close_matches(model.lower(), list_models(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise UserError(
            f"There is no model {model!r}.{hint} Known are the genotypes "
            f"{', '.join(list_genotypes())}, YAML files of genotypes, and the networks "
            f"{', '.join(_list_networks())}."
        )
    return load_genotype(model)


def _path(text: str) -> Path:
    """The path that a text names; an impossible one is a missing file."""
    try:
        path = user_path(text)
        path.exists()
    except OSError:
        return Path("missing")
    return path


def save_model(config: StagedConfig, path: Path | str) -> None:
    """Write a config as a YAML file that `find_model` reads."""
    with atomic_write(path) as stream:
        yaml.safe_dump(describe_model(config), stream, sort_keys=False)


def _described(path: Path) -> StagedConfig | None:
    """The config in a file, or None if the file holds something else."""
    try:
        values = read_yaml_file(path)
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict):
        return None
    try:
        return _config_in(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _config_in(description: Mapping[str, Any]) -> StagedConfig | None:
    """The config in a description, or None if it describes a network of cells."""
    for family in FAMILIES:
        if family.key in description:
            return family.config.from_dict(description[family.key])
    return None


@overload
def create_network(
    model: Genotype,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    auxiliary: bool = False,
    generator: torch.Generator | None = None,
) -> CellNetwork: ...


@overload
def create_network(
    model: str | Model,
    *,
    features_only: Literal[True],
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    generator: torch.Generator | None = None,
) -> FeatureMaps: ...


@overload
def create_network(
    model: str | Model,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    auxiliary: bool = False,
    generator: torch.Generator | None = None,
) -> Classifier: ...


def create_network(
    model: str | Model,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    auxiliary: bool = False,
    features_only: bool = False,
    generator: torch.Generator | None = None,
) -> Classifier | FeatureMaps:
    """A network with fresh weights that maps images to (logits, auxiliary logits or None).

    >>> network = create_network("regnetx_200mf", stem="cifar")
    >>> logits, _ = network.eval()(torch.zeros(1, 3, 32, 32))
    >>> logits.shape
    torch.Size([1, 10])

    Args:
        model: A genotype or the config of a network; or the name or YAML file of one, such as
            "pcdarts_cifar10", "regnety_1.6gf", "resnext101" or "own.yaml".
        num_classes: Number of classes; by default 10 (stem "cifar") or 1000 (stem "imagenet").
        channels: Channels of a genotype's first cell; by default 36 ("cifar") or 48 ("imagenet"),
            and 16 in a network of stages. Other networks have their own widths.
        layers: Number of a genotype's cells; by default 20 ("cifar") or 14 ("imagenet"), and 15 in
            a network of stages. Other networks have their own depths.
        stem: "imagenet" or "cifar"; by default that of the images which a genotype was searched on.
            A published network becomes one for small images by "cifar": its stem and its first
            stage no longer stride.
        auxiliary: Add an auxiliary head. Only networks of genotypes can have one.
        features_only: Return a backbone, `darts.models.features.FeatureMaps`, instead of a
            classifier.
        generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: There is no such model, or it does not take such an option.
        GenotypeError: A file is wrong.
        ChannelError: See `darts.models.derived.Network`.
    """
    found = find_model(model) if isinstance(model, str) else model
    network: Classifier
    if isinstance(found, Genotype):
        stem = stem or default_stem(found)
        setting = setting_of(found.rules, stem if stem in SETTINGS else "cifar")
        network = create_cell_network(
            found,
            num_classes=setting.num_classes if num_classes is None else num_classes,
            channels=setting.channels if channels is None else channels,
            layers=setting.layers if layers is None else layers,
            stem=stem,
            auxiliary=auxiliary,
        )
        if generator is not None:
            initialise(network, generator)
    else:
        options = {"channels": channels, "layers": layers, "auxiliary": auxiliary or None}
        _refuse_options_of_cells(model, options)
        config = _with_stem(found, stem)
        if num_classes is None:
            num_classes = SETTINGS[config.setting].num_classes
        network = family_of(config).create(config, num_classes=num_classes, generator=generator)
    return FeatureMaps(network) if features_only else network


def _refuse_options_of_cells(model: str | Model, options: Mapping[str, Any]) -> None:
    if given := [name for name, value in options.items() if value is not None]:
        raise UserError(
            f"{model if isinstance(model, str) else 'This network'} takes no "
            f"{' or '.join(given)}: it has its own widths and depths and no auxiliary head. "
            "Leave that out."
        )


def _with_stem(config: StagedConfig, stem: str | None) -> StagedConfig:
    if stem not in (None, *SETTINGS):
        raise UserError(f"There is no stem {stem!r}; the stems are {', '.join(SETTINGS)}.")
    return config.for_small_images() if stem == "cifar" else config


def network_from_description(description: Mapping[str, Any]) -> Classifier:
    """The network of a `description`, with fresh weights; for checkpoints.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    with state_of("The description of a network", "this toolkit"):
        config = _config_in(description)
        if config is None:
            return cell_network_from_description(description)
        return family_of(config).create(config, num_classes=description["num_classes"])


def describe_model(model: Model) -> dict[str, Any]:
    """Plain values that `model_from_description` reads."""
    key = "genotype" if isinstance(model, Genotype) else family_of(model).key
    return {key: model.as_dict()}


def model_from_description(description: Mapping[str, Any]) -> Model:
    """The model of a network's `description`, or of the result of `describe_model`.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    with state_of("The description of a network", "this toolkit"):
        config = _config_in(description)
        if config is None:
            return parse_genotype(description["genotype"], "network description")
        return config
