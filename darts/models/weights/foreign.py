"""The network that a file of weights belongs to, and the weights under its names.

Shapes tell widths, depths and groups of a network, but not all of it: networks with equal tensors
may differ in padding, in the epsilon of their batch norms and in where they stride. What is known
of each program is in `_mbconv_settings`; what cannot be known is refused.

| weights | batch norm epsilon | padding of strided convolutions |
|---|---|---|
| torchvision's EfficientNet B0 to B4 | 1e-5 | symmetric |
| torchvision's EfficientNet B5 to B7 | 1e-3 | symmetric |
| timm's efficientnet_* | 1e-5 | symmetric |
| timm's tf_efficientnet_* | 1e-3 | TensorFlow's SAME |
| timm's fbnetv3_* | 1e-5 | kernel // 2 everywhere, no bias in the stem |
| MobileNetV2 of torchvision and timm | 1e-5 | symmetric |
| RegNets, ResNets, ResNeXts | 1e-5 | symmetric |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, Stage, squeezed_width, stage_strides
from darts.models.anynet.network import AnyNet
from darts.models.mbconv.config import MBConvConfig
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.zoo import find_mbconv_net, list_mbconv_nets
from darts.models.staged_config import StagedConfig
from darts.models.weights.tensor_file import TensorFile, read_tensor_file
from darts.models.weights.translation import Translated, translate

_Rgb = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Normalisation of the images that torchvision's and timm's networks are trained with."""

_TIMM_EFFICIENTNET = re.compile(r"(?<![a-z0-9])(tf_)?efficientnet_(?:b\d|l2)(?![0-9])", re.ASCII)
# Networks with the tensors of another one, but with other layers between them.
_LOOK_ALIKES = ("resnetaa", "resnetblur", "efficientnet_blur", "efficientnet_x_", "efficientnet_h_")
_TF: Mapping[str, Any] = MappingProxyType(
    {"norm_eps": 1e-3, "norm_momentum": 0.01, "padding": "same"}
)
_TORCH: Mapping[str, Any] = MappingProxyType(
    {"norm_eps": 1e-5, "norm_momentum": 0.1, "padding": "symmetric"}
)


@dataclass(frozen=True)
class ForeignWeights:
    """Weights that another program has trained.

    Attributes:
        file: Where they are.
        weights: The weights under our names.
        name: Name of the network in timm, if the user or the file tells it; else "".
    """

    file: TensorFile
    weights: Translated
    name: str

    @property
    def title(self) -> str:
        """What the file is, for messages: "timm's RegNet"."""
        wrapper = f", from {self.file.wrapper}" if self.file.wrapper else ""
        return f"{self.weights.naming.title}{wrapper}"

    @property
    def classes(self) -> int:
        """Number of classes of the network, 0 if the file has no classifier."""
        bias = self.weights.tensors.get("classifier.bias")
        return 0 if bias is None else len(bias)

    @property
    def normalisation(self) -> tuple[_Rgb, _Rgb] | None:
        """Mean and standard deviation of its images' channels; None if they are those of the data.

        Those in a `config.json` beside the file, else ImageNet's.
        """
        if self.weights.naming.kind == "cells":
            return None
        hints = self.file.hints
        return hints.get("mean", IMAGENET_MEAN), hints.get("std", IMAGENET_STD)

    def config(self) -> StagedConfig:
        """The network that the file belongs to.

        Raises:
            UserError: It is none that this toolkit has, or cells, whose genotype is not in a file.
        """
        kind = self.weights.naming.kind
        if kind == "cells":
            raise UserError(
                f"{self.file.path} holds weights of a network of cells; say which cells: "
                "--genotype NAME."
            )
        if kind == "anynet":
            return self._anynet()
        name, config = self._published()
        return self._with_settings(name, config)

    def adapted(self, config: StagedConfig) -> StagedConfig:
        """`config` with what these weights need: epsilon and padding of their program.

        Raises:
            UserError: `config` has other layers than the file, or the file does not tell.
        """
        self._check_shapes(config)
        if not isinstance(config, MBConvConfig):
            return config
        return self._with_settings(self._published()[0], config)

    def cell_sizes(self) -> dict[str, Any]:
        """Channels, layers and stem of a network of cells: settings of `create_network`.

        Raises:
            UserError: The file holds another network.
        """
        tensors = self.weights.tensors
        if self.weights.naming.kind != "cells" or "cells.0.preprocess1.norm.weight" not in tensors:
            raise self._other("it has no cells; leave --genotype out to take the file's network")
        layers = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("cells."))
        channels = len(tensors["cells.0.preprocess1.norm.weight"])
        return {
            # With one or two cells, the first one reduces and has twice the channels.
            "channels": channels if layers // 3 else channels // 2,
            "layers": layers,
            "stem": "imagenet" if "stem.conv3.weight" in tensors else "cifar",
        }

    def state_for(self, network: nn.Module) -> dict[str, Tensor]:
        """The tensors under the names of a network of this toolkit."""
        config = getattr(network, "config", None)
        if not isinstance(config, StagedConfig):
            return dict(self.weights.tensors)
        return self._staged(config)

    def _staged(self, config: StagedConfig) -> dict[str, Tensor]:
        places = [
            f"stages.{number}.{block}"
            for number, stage in enumerate(config.stages)
            for block in range(stage.depth)
        ]
        found = {}
        for name, value in self.weights.tensors.items():
            if name.startswith("blocks."):
                _, number, rest = name.split(".", 2)
                if int(number) >= len(places):
                    raise self._other(
                        f"it has {sum(self.weights.depths)} blocks, not {len(places)}"
                    )
                name = f"{places[int(number)]}.{rest}"
            found[name] = value
        return found

    def _anynet(self) -> AnyNetConfig:
        """The AnyNet of these shapes: a RegNet, ResNet or ResNeXt."""
        tensors, stages, number = self.weights.tensors, [], 0
        resnet = "stem.0.conv.weight" in tensors
        basic = "blocks.0.spatial1.conv.weight" in tensors
        strides = stage_strides("resnet" if resnet else "simple", len(self.weights.depths))
        try:
            stem_width = c_in = len(tensors[f"stem.{'0.' if resnet else ''}conv.weight"])
            for depth, stride in zip(self.weights.depths, strides, strict=True):
                block = f"blocks.{number}."
                if basic:
                    width = len(tensors[f"{block}spatial2.conv.weight"])
                    stages.append(Stage(depth=depth, width=width, stride=stride))
                    number += depth
                    continue
                width = len(tensors[f"{block}expand.conv.weight"])
                inner, group = tensors[f"{block}spatial.conv.weight"].shape[:2]
                squeeze = tensors.get(f"{block}excite.reduce.weight")
                stages.append(
                    Stage(
                        depth=depth,
                        width=width,
                        stride=stride,
                        bottleneck=width / inner,
                        group_width=group,
                        se_ratio=0.0 if squeeze is None else _se_ratio(len(squeeze), c_in),
                    )
                )
                c_in, number = width, number + depth
        except (KeyError, ValueError, ZeroDivisionError):
            raise self._other(f"it is {self.weights.naming.missing}") from None
        found = AnyNetConfig(
            stages=tuple(stages),
            block="b" if basic else "x",
            stem="resnet" if resnet else "simple",
            stem_width=stem_width,
        )
        self._check_shapes(found)
        return found

    def _published(self) -> tuple[str, MBConvConfig]:
        """The published MBConv network with these shapes, and its name."""
        tensors, depth = self.weights.tensors, sum(self.weights.depths)
        for name in list_mbconv_nets():
            config = find_mbconv_net(name)
            assert config is not None
            wide = len(tensors.get("stem.conv.weight", ()))
            if config.depth == depth and config.stem_width == wide:
                config = self._with_bias(config)
                if not self._differences(config):
                    return name, config
        raise self._other(
            "none of EfficientNet B0 to B8 and L2, FBNetV3 A to G and MobileNetV2 has its shapes; "
            "it is "
            f"{self.weights.naming.missing}"
        )

    def _with_bias(self, config: MBConvConfig) -> MBConvConfig:
        return replace(config, stem_bias="stem.conv.bias" in self.weights.tensors)

    def _with_settings(self, name: str, config: MBConvConfig) -> MBConvConfig:
        """`config` with the settings of the program whose network `name` this is."""
        config, naming = self._with_bias(config), self.weights.naming
        if "FBNetV3" in naming.title:
            stages = tuple(replace(stage, padding=None) for stage in config.stages)
            return replace(config, stages=stages, norm_eps=1e-5, norm_momentum=0.1)
        if name == "mobilenet_v2":
            return replace(config, **_TORCH)
        if "torchvision" in naming.title:
            tensorflow = {**_TF, "padding": "symmetric"}
            own = tensorflow if name in ("efficientnet_b5", "efficientnet_b6", "efficientnet_b7") \
                else _TORCH  # fmt: skip
            return replace(config, **own)
        found = _TIMM_EFFICIENTNET.search(self.name)
        if found is None or found[0].removeprefix("tf_") != name:
            raise UserError(
                f"{self.file.path}: timm's {name} and tf_{name} have the same tensors, but other "
                "padding and another epsilon of batch norms, and neither the file's name nor a "
                f"config.json beside it tells which it is. Say so: --pretrained-as tf_{name}, or "
                f"--pretrained-as {name}."
            )
        return replace(config, **(_TF if found[1] else _TORCH))

    def _check_shapes(self, config: StagedConfig) -> None:
        if differences := self._differences(config):
            more = len(differences) - 1
            raise self._other(
                f"{differences[0]}{f', and {more} more differences' if more else ''}. Leave the "
                "model out to take the network of the file"
            )

    def _differences(self, config: StagedConfig) -> list[str]:
        """In what shapes the network of a config differs from the file, without the classifier."""
        if not isinstance(config, (MBConvConfig, AnyNetConfig)):
            return [f"it has no {type(config).__name__}"]
        try:
            return differing(self._staged(config), _tensors_of(config))
        except UserError as error:
            return [str(error)]

    def _other(self, problem: str) -> UserError:
        return UserError(f"{self.file.path} holds {self.title}, another network: {problem}.")


@lru_cache(maxsize=8)
def _tensors_of(config: MBConvConfig | AnyNetConfig) -> Mapping[str, Tensor]:
    """The tensors of the network of a config, without their values."""
    network: nn.Module
    with torch.device("meta"):
        if isinstance(config, MBConvConfig):
            network = MBConvNet(config, num_classes=1)
        else:
            network = AnyNet(config, num_classes=1)
    return network.state_dict()


def read_foreign(path: Path | str, name: str | None = None) -> ForeignWeights:
    """Read weights of timm, torchvision or the authors of DARTS and PC-DARTS.

    Args:
        path: The file.
        name: Name of the network in timm, such as "tf_efficientnet_b0", where its tensors do not
            tell; by default what the file's name or a `config.json` beside it says.

    Raises:
        UserError: The file is damaged, holds a network that this toolkit does not have, or is one
            of two that its tensors do not tell apart.
    """
    file = read_tensor_file(path)
    weights = translate(file.tensors, file.path)
    known = (name or file.hints["name"]).lower()
    if alike := next((word for word in _LOOK_ALIKES if word in known), None):
        raise UserError(
            f"{path}: {known} has the tensors of another network but other layers between them; "
            f"this toolkit has no {alike.strip('_')}."
        )
    return ForeignWeights(file, weights, known)


def differing(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """In what two state dicts differ, apart from classifiers, auxiliary heads and batch counters.

    >>> differing({"stem.weight": torch.zeros(2)}, {"stem.weight": torch.zeros(3)})
    ['stem.weight is [2] in the file and [3] here']
    """
    given = {name: value for name, value in given.items() if not is_head(name)}
    wanted = {name: value for name, value in wanted.items() if not is_head(name)}
    counter = ".num_batches_tracked"
    return [
        *(f"{n} is missing in the file" for n in wanted if n not in given and counter not in n),
        *(f"{n} is not in this network" for n in given if n not in wanted),
        *(
            f"{n} is {list(given[n].shape)} in the file and {list(value.shape)} here"
            for n, value in wanted.items()
            if n in given and given[n].shape != value.shape
        ),
    ]


def is_head(name: str) -> bool:
    """Whether a tensor belongs to a classifier or an auxiliary head.

    >>> is_head("classifier.bias"), is_head("cells.0.preprocess1.conv.weight")
    (True, False)
    """
    return name.startswith(("classifier.", "auxiliary_head."))


def _se_ratio(squeezed: int, c_in: int) -> float:
    """The ratio of a squeeze-excitation; 1/4 where it gives this width, as in every RegNetY."""
    return 0.25 if int(squeezed_width(c_in, 0.25)) == squeezed else squeezed / c_in
