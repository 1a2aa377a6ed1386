"""`darts.plugins.register`: what can be registered, and what is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.methods import parts
from darts.methods.architecture import Architecture
from darts.methods.parts import PARTS, PartSpec, create_part
from darts.methods.relaxation import BaseRelaxation
from darts.plugins import register
from genotypes import SPACES, spaces
from ops import registry
from ops.registry import create_operation, find_operation


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What these tests register does not stay."""
    copies = {kind: dict(names) for kind, names in parts._PARTS.items()}
    tables = [(names, copies[kind]) for kind, names in parts._PARTS.items()]
    tables += [(registry._operations, dict(registry._operations))]
    tables += [(spaces._registered, dict(spaces._registered))]
    yield
    for table, before in tables:
        for name in set(table) - set(before):
            del table[name]


@dataclass(frozen=True)
class Small:
    """Keeps alpha small.

    More words.
    """

    strength: float = 0.5
    recordable: ClassVar[bool] = True

    def __call__(self, architecture: Architecture) -> Tensor:
        return self.strength * sum(alpha.square().sum() for alpha in architecture.parameters())


@dataclass(frozen=True)
class Flat(BaseRelaxation):
    pass


class NoDataclass:
    recordable = True


@dataclass
class NotFrozen:
    strength: float = 1.0


@dataclass(frozen=True)
class NoDefault:
    strength: float
    recordable: ClassVar[bool] = True

    def __call__(self, architecture: Architecture) -> float:
        return 0.0


@dataclass(frozen=True)
class NoCall:
    recordable: ClassVar[bool] = True


@dataclass(frozen=True)
class Sharp:
    """A relaxation that forgot its base."""


def test_a_part_is_created_by_its_name() -> None:
    assert register("regulariser", "small")(Small) is Small
    assert create_part("regulariser", PartSpec.parse("small:strength=2")) == Small(2.0)
    assert PARTS["regulariser"]["small"].summary == "Keeps alpha small"
    register("relaxation", "flat", summary="as softmax")(Flat)
    assert PARTS["relaxation"]["flat"].summary == "as softmax"


@pytest.mark.parametrize(
    ("kind", "cls", "words"),
    [
        ("regulariser", NoDataclass, r"put @dataclass\(frozen=True\) below @register"),
        ("regulariser", NotFrozen, r"put @dataclass\(frozen=True\) below @register"),
        ("regulariser", NoDefault, "strength needs a default"),
        ("regulariser", NoCall, "NoCall is no regulariser: it has no __call__; see darts.methods"),
        ("relaxation", Sharp, "is no relaxation: it has no .*log_strengths"),
        ("selection", Small, "is no selection: it has no evaluates"),
    ],
)
def test_what_is_no_part(kind: str, cls: type, words: str) -> None:
    with pytest.raises(UserError, match=words):
        register(kind, "mine")(cls)
    assert "mine" not in PARTS[kind]


def test_names_and_kinds() -> None:
    with pytest.raises(UserError, match=r"no kind of part 'regularizer'.*'regulariser'"):
        register("regularizer", "mine")
    with pytest.raises(UserError, match="'a:b' cannot be used in options"):
        register("regulariser", "a:b")
    with pytest.raises(UserError, match="already one of this name"):
        register("regulariser", "entropy")(Small)

    @dataclass(frozen=True)
    class Inside(Small):
        pass

    with pytest.raises(UserError, match="at the top level"):
        register("regulariser", "inside")(Inside)


def test_an_operation_gets_the_arguments_that_it_has() -> None:
    @register.operation("plain")
    class Plain(nn.Module):
        def __init__(self, channels: int, stride: int = 1) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(channels, channels, 3, stride, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.convolution(x)

    given: list[dict[str, Any]] = []

    @register.operation("everything")
    def everything(**arguments: Any) -> nn.Module:
        given.append(arguments)
        return nn.AvgPool2d(arguments["stride"])

    assert create_operation("plain", 4, 2, affine=False)(torch.zeros(1, 4, 8, 8)).shape[-1] == 4
    find_operation("everything").create(8, 2, False, True)
    assert given[-1] == {"channels": 8, "stride": 2, "affine": False, "normalised": True}


def test_what_is_no_operation() -> None:
    with pytest.raises(UserError, match="unknown argument 'width'"):
        register.operation("mine")(lambda width: nn.Identity())
    with pytest.raises(UserError, match=r"stride 2 maps .* not to \[2, 16, 4, 4\]"):
        register.operation("mine")(lambda channels: nn.Identity())
    with pytest.raises(UserError, match="already an operation 'none'"):
        register.operation("none")(lambda stride: nn.AvgPool2d(stride))


def test_spaces() -> None:
    space = register.space(name="mine", operations=("none", "skip_connect"))
    assert SPACES["mine"] is space
    assert register.space(space) is space
    with pytest.raises(UserError, match="another search space with the name 'mine'"):
        register.space(name="mine", operations=("none", "noise"))
    with pytest.raises(UserError, match="zero operation"):
        register.space(name="other", operations=("noise",), zero="none")
    assert register.space(name="third", operations=("noise",)).zero is None
