"""Every model the toolkit knows, by name: derived networks of genotypes, and the `FAMILIES`.

A model is a `Genotype`, or the config of a family of networks: a frozen dataclass of plain values.
To add a family is to add a line to `FAMILIES`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import torch
import yaml
from torch import Tensor, nn

from darts.errors import UserError
from darts.files import atomic_write
from darts.models import derived
from darts.models.anynet.config import AnyNetConfig
from darts.models.anynet.network import AnyNet
from darts.models.anynet.zoo import find_anynet, list_anynets
from darts.models.derived import SETTINGS, Network
from darts.models.features import FeatureMaps
from darts.models.mbconv.config import MBConvConfig
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.zoo import find_mbconv_net, list_mbconv_nets
from genotypes import Genotype, list_genotypes, load_genotype, parse_genotype


class NetworkConfig(Protocol):
    """A network as plain values; `AnyNetConfig` is one."""

    @property
    def stem(self) -> str: ...

    def for_small_images(self) -> NetworkConfig:
        """The form for images of about 32 pixels; its stem is "cifar"."""
        ...

    def as_dict(self) -> dict[str, Any]: ...


Model = Genotype | NetworkConfig


class Classifier(Protocol):
    """What every network here is, beside an `nn.Module`.

    Attributes:
        description: Plain values that `network_from_description` rebuilds it from.
        resolution: Side of the images that it is meant for.
        auxiliary_head: A second classifier for training, or None.
        dropout: Probability of dropping an input of the classifier in training.

    A network that also is `darts.models.features.Featured` can serve as a backbone.
    """

    description: dict[str, Any]
    resolution: int
    auxiliary_head: nn.Module | None
    dropout: float

    def check_image_size(self, height: int, width: int) -> None: ...

    def __call__(
        self, images: Tensor, drop_path: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor | None]: ...


@dataclass(frozen=True)
class Family:
    """Networks that one kind of config describes.

    Attributes:
        key: What a description of such a network is known by.
        config: The dataclass; it has a classmethod `from_dict`.
        network: The module of a config, with `num_classes` and `generator` as keywords.
        names: The published models.
        find: The config of a name, or None.
    """

    key: str
    config: Any
    network: Callable[..., Any]
    names: Callable[[], tuple[str, ...]]
    find: Callable[[str], NetworkConfig | None]


FAMILIES = (
    Family("anynet", AnyNetConfig, AnyNet, list_anynets, find_anynet),
    Family("mbconv", MBConvConfig, MBConvNet, list_mbconv_nets, find_mbconv_net),
)


def list_models() -> tuple[str, ...]:
    """Names that `find_model` knows: of the genotypes in the zoo, then of networks."""
    return (*list_genotypes(), *_list_networks())


def _list_networks() -> tuple[str, ...]:
    return tuple(name for family in FAMILIES for name in family.names())


def find_model(model: str) -> Model:
    """The genotype or config of a name, or of a YAML file.

    A file holds a genotype, or the description of a network such as `save_model` writes.

    Raises:
        UserError: There is no such model, or the file describes an impossible one.
        GenotypeError: The file holds no genotype either.
    """
    for family in FAMILIES:
        if config := family.find(model):
            return config
    path = Path(model).expanduser()
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


def save_model(config: NetworkConfig, path: Path | str) -> None:
    """Write a config as a YAML file that `find_model` reads."""
    with atomic_write(path) as stream:
        yaml.safe_dump(describe_model(config), stream, sort_keys=False)


def _described(path: Path) -> NetworkConfig | None:
    """The config in a file, or None where it holds something else."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    for family in FAMILIES:
        if isinstance(values, dict) and family.key in values:
            try:
                return family.config.from_dict(values[family.key])
            except UserError as error:
                raise UserError(f"{path}: {error}") from None
    return None


def _family(config: NetworkConfig) -> Family:
    return next(family for family in FAMILIES if isinstance(config, family.config))


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
) -> Network: ...


@overload
def create_network(
    model: AnyNetConfig,
    *,
    num_classes: int | None = None,
    stem: str | None = None,
    generator: torch.Generator | None = None,
) -> AnyNet: ...


@overload
def create_network(
    model: MBConvConfig,
    *,
    num_classes: int | None = None,
    stem: str | None = None,
    generator: torch.Generator | None = None,
) -> MBConvNet: ...


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
) -> Network | AnyNet | MBConvNet: ...


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
) -> Any:
    """A network with fresh weights that maps images to (logits, auxiliary logits or None).

    >>> network = create_network("regnetx_200mf", stem="cifar")
    >>> logits, _ = network.eval()(torch.zeros(1, 3, 32, 32))
    >>> logits.shape
    torch.Size([1, 10])

    Args:
        model: A genotype, its name in the zoo or its file (see
            `darts.models.derived.create_network`);
            the name of a published network, such as "regnety_1.6gf" or "resnext101", or the file
            of a description; or a config.
        channels, layers, auxiliary: Of the network of a genotype; others have their own widths and
            depths and no auxiliary head.
        stem: "imagenet" or "cifar". A published network becomes one for small images by "cifar":
            stem and first stage no longer stride, and there are 10 classes by default.
        features_only: Give a backbone, `darts.models.features.FeatureMaps`, in place of a
        classifier. generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: There is no such model, or it does not take such an option.
        GenotypeError: A file is wrong.
        ChannelError: See `darts.models.derived.Network`.
    """
    if features_only:
        network = create_network(
            model,
            num_classes=num_classes,
            channels=channels,
            layers=layers,
            stem=stem,
            generator=generator,
        )
        return FeatureMaps(network)
    config = find_model(model) if isinstance(model, str) else model
    if isinstance(config, Genotype):
        return derived.create_network(
            config,
            num_classes=num_classes,
            channels=channels,
            layers=layers,
            stem=stem,
            auxiliary=auxiliary,
            generator=generator,
        )
    options = {"channels": channels, "layers": layers, "auxiliary": auxiliary or None}
    if given := [name for name, value in options.items() if value is not None]:
        raise UserError(
            f"{model if isinstance(model, str) else 'This network'} takes no "
            f"{' or '.join(given)}: its widths and depths are its own, and it has no auxiliary "
            "head. Leave that out."
        )
    if stem not in (None, *SETTINGS):
        raise UserError(f"There is no stem {stem!r}; the stems are {', '.join(SETTINGS)}.")
    if stem == "cifar":
        config = config.for_small_images()
    if num_classes is None:
        num_classes = SETTINGS["cifar" if config.stem == "cifar" else "imagenet"].num_classes
    return _family(config).network(config, num_classes=num_classes, generator=generator)


def network_from_description(description: Mapping[str, Any]) -> Any:
    """The network of a `description`, with fresh weights; for checkpoints.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    model = model_from_description(description)
    if isinstance(model, Genotype):
        return derived.network_from_description(description)
    return _family(model).network(model, num_classes=description["num_classes"])


def describe_model(model: Model) -> dict[str, Any]:
    """Plain values that `model_from_description` reads."""
    key = "genotype" if isinstance(model, Genotype) else _family(model).key
    return {key: model.as_dict()}


def model_from_description(description: Mapping[str, Any]) -> Model:
    """What a network's `description` was made from, or what `describe_model` gave.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    for family in FAMILIES:
        if family.key in description:
            return family.config.from_dict(description[family.key])
    return parse_genotype(description["genotype"], "network description")
