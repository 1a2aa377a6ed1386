"""Every model the toolkit knows, by name: derived networks of genotypes, RegNets, ResNe(X)ts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

import torch

from darts import network as derived
from darts.design_space.anynet import AnyNet
from darts.design_space.config import AnyNetConfig
from darts.design_space.zoo import find_anynet, list_anynets
from darts.errors import UserError
from darts.network import SETTINGS, Network
from genotypes import Genotype, list_genotypes


def list_models() -> tuple[str, ...]:
    """Names that `create_network` knows: of the genotypes in the zoo, then of networks."""
    return (*list_genotypes(), *list_anynets())


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
    model: str,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    auxiliary: bool = False,
    generator: torch.Generator | None = None,
) -> Network | AnyNet: ...


def create_network(
    model: str | Genotype | AnyNetConfig,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    layers: int | None = None,
    stem: str | None = None,
    auxiliary: bool = False,
    generator: torch.Generator | None = None,
) -> Network | AnyNet:
    """A network with fresh weights that maps images to (logits, auxiliary logits or None).

    >>> network = create_network("regnetx_200mf", stem="cifar")
    >>> logits, _ = network.eval()(torch.zeros(1, 3, 32, 32))
    >>> logits.shape
    torch.Size([1, 10])

    Args:
        model: A genotype, its name in the zoo or its file (see `darts.network.create_network`);
            the name of a published network, such as "regnety_1.6gf" or "resnext101"; or an AnyNet.
        channels, layers, auxiliary: Of the network of a genotype; others have their own widths and
            depths and no auxiliary head.
        stem: "imagenet" or "cifar". A published network becomes one for small images by "cifar":
            stem and first stage no longer stride, and there are 10 classes by default.
        generator: Random stream of the initial weights; by default torch's global one.

    Raises:
        UserError: There is no such model, or it does not take such an option.
        GenotypeError: A file is wrong.
        ChannelError: See `darts.network.Network`.
    """
    config = _find_config(model)
    if config is None:
        assert not isinstance(model, AnyNetConfig)
        return derived.create_network(
            model,
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
            f"{model if isinstance(model, str) else 'An AnyNet'} takes no {' or '.join(given)}: "
            "its widths and depths are its own, and it has no auxiliary head. Leave that out."
        )
    if stem not in (None, *SETTINGS):
        raise UserError(f"There is no stem {stem!r}; the stems are {', '.join(SETTINGS)}.")
    if stem == "cifar":
        config = config.for_small_images()
    if num_classes is None:
        num_classes = SETTINGS["cifar" if config.stem == "cifar" else "imagenet"].num_classes
    return AnyNet(config, num_classes=num_classes, generator=generator)


def network_from_description(description: Mapping[str, Any]) -> Network | AnyNet:
    """The network of a `description`, with fresh weights; for checkpoints.

    Raises:
        UserError, GenotypeError: The description is wrong.
    """
    if "anynet" not in description:
        return derived.network_from_description(description)
    config = AnyNetConfig.from_dict(description["anynet"])
    return AnyNet(config, num_classes=description["num_classes"])


def _find_config(model: str | Genotype | AnyNetConfig) -> AnyNetConfig | None:
    """The AnyNet that is meant, or None where a genotype is.

    Raises:
        UserError: It is a name, and of nothing.
    """
    if not isinstance(model, str):
        return model if isinstance(model, AnyNetConfig) else None
    if config := find_anynet(model):
        return config
    path = Path(model).expanduser()
    is_name = len(path.parts) == 1 and path.suffix not in (".yaml", ".yml") and not path.exists()
    if is_name and model not in list_genotypes():
        close = difflib.get_close_matches(model.lower(), list_models(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise UserError(
            f"There is no model {model!r}.{hint} Known are the genotypes "
            f"{', '.join(list_genotypes())}, YAML files of genotypes, and the networks "
            f"{', '.join(list_anynets())}."
        )
    return None
