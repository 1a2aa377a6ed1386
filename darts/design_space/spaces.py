"""Design spaces: AnyNetX A to E and RegNet, as ranges and constraints that compose.

Source: RegNet (arXiv 2003.13678, §3.2, §3.3, Table 1). A space defines a set of networks and
samples from it; `darts.design_space.sampling` restricts samples to a budget.

>>> space = AnyNetSpace() & Shared("bottleneck") & Nondecreasing("width")
>>> space.dimensions
13
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from darts.design_space.distributions import Choice, Distribution, Generator, LogUniform, uniforms
from darts.errors import UserError
from darts.models.anynet.config import AnyNetStem, Block, compatible_widths, stage_strides
from darts.models.anynet.regnet import RegNet, stages_of
from darts.models.anynet.table import AnyNetTable

Axis = Literal["depth", "width", "bottleneck", "group_width"]
AXES: tuple[Axis, ...] = ("depth", "width", "bottleneck", "group_width")

# Ranges of AnyNetX (§3.2) and RegNet (§3.3); the steps of w_a and w_m are those of the authors'
# code (facebookresearch/pycls).
DEPTHS = LogUniform(1, 16)
WIDTHS = LogUniform(8, 1024, 8)
BOTTLENECKS = Choice((1, 2, 4))
GROUP_WIDTHS = Choice((1, 2, 4, 8, 16, 32))
TOTAL_DEPTHS = LogUniform(1, 63)
INITIAL_WIDTHS = LogUniform(8, 248, 8)
SLOPES = LogUniform(8, 255.9, 0.1)
WIDTH_RATIOS = LogUniform(1.5, 3, 0.001)
# Table 1 counts about this many values for each of d, w_0, w_a and w_m of a RegNet.
REGNET_LEVELS = 64
SQUEEZE_EXCITE_RATIO = 0.25


@dataclass(frozen=True)
class Shared:
    """Constraint: all stages have the same value."""

    axis: Axis


@dataclass(frozen=True)
class Nondecreasing:
    """Constraint: no stage has a smaller value than the previous one; samples are sorted."""

    axis: Axis


@dataclass(frozen=True, kw_only=True)
class Macro:
    """What all networks of a space have in common.

    Attributes:
        block: Type of the blocks: see `darts.models.anynet.config`.
        se_ratio: Squeeze-and-excitation ratio; 0: none.
        stages: Number of stages.
        stem: "simple" halves the resolution, "cifar" keeps it.
        stem_width: Channels of the stem.
    """

    block: Block = "x"
    se_ratio: float = 0.0
    stages: int = 4
    stem: AnyNetStem = "simple"
    stem_width: int = 32


@dataclass(frozen=True, kw_only=True)
class Draws:
    """N sampled networks.

    Attributes:
        table: The networks.
        parameters: The parameters of RegNets by name, each `[N]`; None for other networks.
    """

    table: AnyNetTable
    parameters: Mapping[str, NDArray] | None = None

    def regnet(self, index: int) -> RegNet | None:
        """The parameters of one network if it is a RegNet, else None."""
        if self.parameters is None:
            return None
        return RegNet(**{name: column[index].item() for name, column in self.parameters.items()})


class DesignSpace(Protocol):
    """A set of networks with a distribution over it."""

    @property
    def macro(self) -> Macro:
        """What all networks of the space have in common."""

    @property
    def dimensions(self) -> int:
        """Number of free parameters."""

    @property
    def size(self) -> int:
        """Number of networks, counted as in Table 1."""

    def draw(self, generator: Generator, attempts: int) -> Draws:
        """Sample `attempts` times; attempts that give no network of the space are left out."""


@dataclass(frozen=True, kw_only=True)
class AnyNetSpace:
    """Each stage has its own depth, width, bottleneck ratio and group width (§3.2).

    The default is AnyNetX_A. `space & constraint` adds a constraint.

    Attributes:
        depth: Distribution of the number of blocks of a stage.
        width: Distribution of the width of a stage.
        bottleneck: Distribution of the bottleneck ratio of a stage.
        group_width: Distribution of the group width of a stage.
        constraints: Constraints on the stages.
        macro: What all networks have in common.

    >>> space = AnyNetSpace() & Shared("bottleneck") & Shared("group_width")
    >>> space.draw(np.random.default_rng(0), 2).table.config(0).depth
    9
    """

    depth: Distribution = DEPTHS
    width: Distribution = WIDTHS
    bottleneck: Distribution = BOTTLENECKS
    group_width: Distribution = GROUP_WIDTHS
    constraints: frozenset[Shared | Nondecreasing] = frozenset()
    macro: Macro = field(default_factory=Macro)

    def __and__(self, constraint: Shared | Nondecreasing) -> AnyNetSpace:
        return replace(self, constraints=self.constraints | {constraint})

    def _free_stages(self, axis: Axis) -> int:
        return 1 if Shared(axis) in self.constraints else self.macro.stages

    def _levels(self, axis: Axis) -> int:
        return getattr(self, axis).levels

    @property
    def dimensions(self) -> int:
        return sum(self._free_stages(axis) for axis in AXES if self._levels(axis) > 1)

    @property
    def size(self) -> int:
        """As in Table 1: ordering S stages divides the number of choices by S!."""
        choices = math.prod(self._levels(axis) ** self._free_stages(axis) for axis in AXES)
        ordered = sum(Nondecreasing(axis) in self.constraints for axis in AXES)
        return choices // math.factorial(self.macro.stages) ** ordered

    @property
    def exact_size(self) -> int:
        """Exact number of choices: unlike Table 1, it counts ordered stages with equal values."""
        size = 1
        for axis in AXES:
            levels, free = self._levels(axis), self._free_stages(axis)
            ordered = Nondecreasing(axis) in self.constraints
            size *= math.comb(levels + free - 1, free) if ordered else levels**free
        return size

    def draw(self, generator: Generator, attempts: int) -> Draws:
        stages = self.macro.stages
        drawn = uniforms(generator, attempts, len(AXES), stages)
        values = {}
        for number, axis in enumerate(AXES):
            distribution: Distribution = getattr(self, axis)
            value = distribution.quantile(drawn[:, number])
            if Shared(axis) in self.constraints:
                value = np.repeat(value[:, :1], stages, axis=1)
            if Nondecreasing(axis) in self.constraints:
                value = np.sort(value, axis=1)
            values[axis] = value
        return Draws(table=_table(self.macro, **values))


@dataclass(frozen=True, kw_only=True)
class RegNetSpace:
    """RegNets with a fixed number of stages; the default ranges are those of §3.3.

    Attributes:
        depth: Distribution of the number of blocks d.
        w0: Distribution of the initial width w_0.
        wa: Distribution of the slope w_a; None: w_a = w_0 (Fig. 9).
        wm: Distribution of the width ratio w_m.
        bottleneck: Distribution of the bottleneck ratio, shared by all stages.
        group_width: Distribution of the group width, shared by all stages.
        macro: What all networks have in common.

    >>> draws = RegNetSpace().draw(np.random.default_rng(0), 100)
    >>> draws.regnet(0).config() == draws.table.config(0)
    True
    """

    depth: Distribution = TOTAL_DEPTHS
    w0: Distribution = INITIAL_WIDTHS
    wa: Distribution | None = SLOPES
    wm: Distribution = WIDTH_RATIOS
    bottleneck: Distribution = BOTTLENECKS
    group_width: Distribution = GROUP_WIDTHS
    macro: Macro = field(default_factory=Macro)

    @property
    def _line(self) -> tuple[Distribution, ...]:
        return tuple(d for d in (self.depth, self.w0, self.wa, self.wm) if d and d.levels > 1)

    @property
    def dimensions(self) -> int:
        return len(self._line) + (self.bottleneck.levels > 1) + (self.group_width.levels > 1)

    @property
    def size(self) -> int:
        """As in Table 1, which counts about 64 values for each of d, w_0, w_a and w_m."""
        return REGNET_LEVELS ** len(self._line) * self.bottleneck.levels * self.group_width.levels

    def constrained(self) -> RegNetSpace:
        """The part with the good models (§4): b = 1, d <= 40, w_m >= 2."""
        depth, wm = LogUniform(1, 40), LogUniform(2, 3, 0.001)
        return replace(self, depth=depth, wm=wm, bottleneck=Choice((1,)))

    def draw(self, generator: Generator, attempts: int) -> Draws:
        drawn = uniforms(generator, attempts, 6).T
        depth = self.depth.quantile(drawn[0]).astype(np.int64)
        w0 = self.w0.quantile(drawn[1])
        wa = w0 if self.wa is None else self.wa.quantile(drawn[2])
        wm = self.wm.quantile(drawn[3])
        bottleneck = self.bottleneck.quantile(drawn[4])
        group_width = self.group_width.quantile(drawn[5]).astype(np.int64)
        chosen, depths, widths = stages_of(depth, w0, wa, wm, self.macro.stages)
        table = _table(
            self.macro,
            depth=depths,
            width=widths,
            bottleneck=np.repeat(bottleneck[chosen, None], self.macro.stages, axis=1),
            group_width=np.repeat(group_width[chosen, None], self.macro.stages, axis=1),
        )
        parameters = {
            "depth": depth,
            "w0": w0.astype(np.int64),
            "wa": wa,
            "wm": wm,
            "group_width": group_width,
            "bottleneck": bottleneck,
            "se_ratio": np.full(attempts, self.macro.se_ratio),
        }
        values = {name: column[chosen] for name, column in parameters.items()}
        return Draws(table=table, parameters=values)


def _table(
    macro: Macro, *, depth: NDArray, width: NDArray, bottleneck: NDArray, group_width: NDArray
) -> AnyNetTable:
    """Networks of a space, with widths and group widths adapted to each other."""
    widths, groups = compatible_widths(width, bottleneck, group_width)
    return AnyNetTable(
        depths=depth.astype(np.int64),
        widths=widths,
        strides=np.broadcast_to(stage_strides(macro.stem, macro.stages), widths.shape),
        bottlenecks=bottleneck,
        group_widths=groups,
        se_ratios=np.full(widths.shape, macro.se_ratio),
        block=macro.block,
        stem=macro.stem,
        stem_width=macro.stem_width,
    )


ANYNET_CONSTRAINTS: Mapping[str, tuple[Shared | Nondecreasing, ...]] = MappingProxyType(
    {
        "a": (),
        "b": (Shared("bottleneck"),),
        "c": (Shared("bottleneck"), Shared("group_width")),
        "d": (Shared("bottleneck"), Shared("group_width"), Nondecreasing("width")),
        "e": (
            Shared("bottleneck"),
            Shared("group_width"),
            Nondecreasing("width"),
            Nondecreasing("depth"),
        ),
    }
)
_BLOCKS: Mapping[str, Block] = MappingProxyType(
    {"x": "x", "y": "x", "r": "r", "v": "v", "vr": "vr"}
)


def list_spaces() -> tuple[str, ...]:
    """Names for `create_space`: anynetx_a to anynetx_e and regnetx, also with other blocks."""
    return tuple(
        name
        for block in _BLOCKS
        for name in (
            *(f"anynet{block}_{letter}" for letter in ANYNET_CONSTRAINTS),
            f"regnet{block}",
        )
    )


def create_space(
    name: str, *, stages: int = 4, stem: AnyNetStem = "simple", stem_width: int = 32
) -> AnyNetSpace | RegNetSpace:
    """A space of the paper, such as "anynetx_c", "regnety" or "regnetvr".

    With blocks R, V and VR, which have no groups, the group width is not a parameter; with V and
    VR, which have no bottleneck, neither is the bottleneck ratio.

    Args:
        name: One of `list_spaces`.
        stages: Number of stages.
        stem: "simple" halves the resolution, "cifar" keeps it.
        stem_width: Channels of the stem.

    Raises:
        UserError: There is no such space.
    """
    plain = name.lower()
    if plain not in list_spaces():
        close = difflib.get_close_matches(plain, list_spaces(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise UserError(f"There is no design space {name!r}{hint}: {', '.join(list_spaces())}.")
    family, _, letter = plain.partition("_")
    block = family.removeprefix("anynet").removeprefix("regnet")
    macro = Macro(
        block=_BLOCKS[block],
        se_ratio=SQUEEZE_EXCITE_RATIO if block == "y" else 0.0,
        stages=stages,
        stem=stem,
        stem_width=stem_width,
    )
    bottleneck = Choice((1,)) if block in ("v", "vr") else BOTTLENECKS
    group_width = GROUP_WIDTHS if block in ("x", "y") else Choice((1,))
    if not letter:
        return RegNetSpace(bottleneck=bottleneck, group_width=group_width, macro=macro)
    return AnyNetSpace(
        bottleneck=bottleneck,
        group_width=group_width,
        constraints=frozenset(ANYNET_CONSTRAINTS[letter]),
        macro=macro,
    )
