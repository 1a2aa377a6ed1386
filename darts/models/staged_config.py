"""A stem and stages of blocks as plain values: the base of all families' configs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar

from darts.errors import UserError

_Config = TypeVar("_Config", bound="StagedConfig")


@dataclass(frozen=True, kw_only=True)
class StagedConfig:
    """A network of stages, each with a `depth`, a `width` and a `stride`.

    Attributes:
        kind: Name of such a network in messages, with its article.
        stage_type: The dataclass of a stage.
        stages: The stages, from the stem to the classifier.
    """

    kind: ClassVar[str]
    stage_type: ClassVar[Any]

    stages: tuple[Any, ...]

    @property
    def stem(self) -> str:
        """Name of the stem; "cifar" is the one for images of about 32 pixels."""
        raise NotImplementedError

    @property
    def stem_width(self) -> int:
        """Channels of the stem's output."""
        raise NotImplementedError

    @property
    def stem_stride(self) -> int:
        """The factor by which the stem divides height and width."""
        raise NotImplementedError

    @property
    def setting(self) -> Literal["cifar", "imagenet"]:
        """Images that the network is made for: "cifar" (small ones) or "imagenet"."""
        return "cifar" if self.stem == "cifar" else "imagenet"

    @property
    def resolution(self) -> int:
        """Side of the images that the network is meant for, in pixels."""
        raise NotImplementedError

    def for_small_images(self: _Config) -> _Config:
        """The form for images of about 32 pixels; its stem is "cifar"."""
        raise NotImplementedError

    @property
    def total_stride(self) -> int:
        """The factor by which stem and stages divide height and width."""
        return self.stem_stride * math.prod([stage.stride for stage in self.stages])

    @property
    def smallest_image(self) -> int:
        """Side of the smallest image that leaves at least one pixel after every stride."""
        return self.total_stride

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return sum(stage.depth for stage in self.stages)

    def check_image_size(self, height: int, width: int) -> None:
        """Raise UserError unless at least one pixel is left after every stride."""
        smallest = self.smallest_image
        if min(height, width) < smallest:
            raise UserError(
                f"This network takes images of at least {smallest}x{smallest} pixels, because its "
                f"strides divide them by {self.total_stride}, not {height}x{width}. Enlarge the "
                "images, or take the stem for small ones (cifar)."
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for YAML, JSON and checkpoints."""
        return {**asdict(self), "stages": [asdict(stage) for stage in self.stages]}

    @classmethod
    def from_dict(cls: type[_Config], values: Mapping[str, Any]) -> _Config:
        """The inverse of `as_dict`.

        Raises:
            UserError: A key is unknown or missing, or a value impossible.
        """
        try:
            stages = tuple(cls.stage_type(**stage) for stage in values["stages"])
            return cls(**{**values, "stages": stages})
        except (KeyError, TypeError) as error:
            known = ", ".join(field.name for field in (*fields(cls), *fields(cls.stage_type)))
            raise UserError(f"Not {cls.kind}: {error} (keys: {known}).") from error


def count_problem(name: str, value: Any) -> str | None:
    """The problem with a value that should be a whole number of at least 1, or None."""
    if value != int(value) or value < 1:
        return f"{name} is a whole number of at least 1, not {value}"
    return None
