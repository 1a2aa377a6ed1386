"""The parts of search methods by name, and the text form in which users name them.

A part is a small frozen dataclass; its fields are numbers that a user may set:

    beta-decay                          a part with its own numbers
    gumbel:temperature=5                a part with a number of the user's
    beta-decay:strength=25+entropy      two parts

Torch-free: a part's module is imported only when the part is created.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple, get_type_hints

from darts.errors import UserError, closest


class PartEntry(NamedTuple):
    """One part of the catalogue.

    Attributes:
        where: The class, as "module:name".
        summary: What it does, in one line.
    """

    where: str
    summary: str

    def load(self) -> type:
        """The class of the part."""
        module, _, name = self.where.partition(":")
        cls: type = getattr(import_module(module), name)
        return cls


@dataclass(frozen=True)
class PartSpec:
    """A part as a user names it.

    >>> PartSpec.parse("gumbel:temperature=5,final=0.5")
    PartSpec(name='gumbel', values={'temperature': 5, 'final': 0.5})
    >>> str(PartSpec("stages", {"kept": (8, 5, 3)}))
    'stages:kept=8/5/3'

    Attributes:
        name: Name of the part.
        values: Fields of the part that differ from their defaults.
    """

    name: str
    values: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> PartSpec:
        """Read `NAME` or `NAME:key=value,key=value`; a value with slashes is a tuple.

        Raises:
            UserError: The text has another form.
        """
        name, _, rest = text.strip().partition(":")
        values = {}
        for item in filter(None, rest.split(",")):
            key, equals, value = item.partition("=")
            if not equals or not key.strip():
                raise UserError(
                    f"{text!r}: write a part as NAME or NAME:key=value,key=value, not {item!r}."
                )
            values[key.strip().replace("-", "_")] = _value(value.strip())
        return cls(name, values)

    @classmethod
    def parse_several(cls, text: str) -> tuple[PartSpec, ...]:
        """Read parts that are joined by `+`; "none" means no part.

        >>> [spec.name for spec in PartSpec.parse_several("beta-decay:strength=25+entropy")]
        ['beta-decay', 'entropy']
        """
        specs = tuple(cls.parse(one) for one in text.split("+") if one.strip())
        return () if [spec.name for spec in specs] == [NO_PART] else specs

    def __str__(self) -> str:
        def shown(value: Any) -> str:
            return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)

        values = ",".join(f"{key}={shown(value)}" for key, value in self.values.items())
        return f"{self.name}:{values}" if values else self.name


NO_PART = "none"
"""The name that removes a part which a method has."""


def _value(text: str) -> Any:
    if "/" in text:
        return tuple(_value(one) for one in text.split("/"))
    if text in ("true", "false"):
        return text == "true"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, (int, float)) else text


_PARTS: dict[str, dict[str, PartEntry]] = {
    "relaxation": {
        "softmax": PartEntry(
            "darts.methods.relaxation:Softmax", "softmax of alpha over the operations of an edge"
        ),
        "sigmoid": PartEntry(
            "darts.methods.relaxation:Sigmoid", "operations that do not compete (FairDARTS)"
        ),
        "gumbel": PartEntry(
            "darts.methods.sampled:GumbelSoftmax", "softmax with Gumbel noise (SNAS)"
        ),
        "hard-gumbel": PartEntry(
            "darts.methods.sampled:HardGumbel", "one sampled operation per edge (GDAS)"
        ),
        "reinmax": PartEntry(
            "darts.methods.sampled:ReinMax",
            "one sampled operation per edge, gradient of second order",
        ),
        "dirichlet": PartEntry(
            "darts.methods.dirichlet:Dirichlet", "samples of a Dirichlet distribution (DrNAS)"
        ),
        "binary-paths": PartEntry(
            "darts.methods.paths:BinaryPaths", "one sampled operation per edge (ProxylessNAS)"
        ),
        "uniform-path": PartEntry(
            "darts.methods.paths:UniformPath",
            "one uniformly drawn operation per edge (SPOS, random search)",
        ),
    },
    "gradient": {
        "first-order": PartEntry(
            "darts.methods.gradient:FirstOrder", "the gradient at the present weights"
        ),
        "single-level": PartEntry(
            "darts.methods.gradient:SingleLevel",
            "the gradient of the training loss, in one step with the weights (SNAS)",
        ),
        "fixed": PartEntry(
            "darts.methods.gradient:Fixed", "alpha is not trained (SPOS, random search)"
        ),
        "unrolled": PartEntry(
            "darts.methods.unrolled:Unrolled", "through one virtual step of the weights"
        ),
        "neumann": PartEntry(
            "darts.methods.neumann:NeumannSeries", "implicit, with a Neumann series (iDARTS)"
        ),
    },
    "perturbation": {
        "random": PartEntry(
            "darts.methods.perturbation:RandomPerturbation", "uniform noise (SDARTS-RS)"
        ),
        "adversarial": PartEntry(
            "darts.methods.perturbation:AdversarialPerturbation",
            "the nearby weights with the largest loss (SDARTS-ADV)",
        ),
    },
    "regulariser": {
        "beta-decay": PartEntry(
            "darts.methods.regularisers:BetaDecay", "keeps alpha small (beta-DARTS)"
        ),
        "zero-one": PartEntry(
            "darts.methods.regularisers:ZeroOne", "moves sigmoid weights to 0 or 1 (FairDARTS)"
        ),
        "dirichlet-kl": PartEntry(
            "darts.methods.regularisers:DirichletKL",
            "keeps Dirichlet distributions near the uniform one (DrNAS)",
        ),
        "entropy": PartEntry(
            "darts.methods.regularisers:Entropy", "makes the weights of each edge decided"
        ),
        "lambda": PartEntry(
            "darts.methods.alignment:LambdaAlignment",
            "aligns the gradients of the cells (Lambda-DARTS)",
        ),
        "freezing": PartEntry(
            "darts.methods.freezing:OperationFreezing",
            "freezes operations that memorise images (OLES)",
        ),
    },
    "skips": {
        "auxiliary": PartEntry(
            "darts.methods.skips:AuxiliarySkip", "an auxiliary skip whose weight decays to 0"
        ),
        "dropout": PartEntry("darts.methods.skips:SkipDropout", "dropout on skip connections"),
    },
    "stages": {
        "growing": PartEntry(
            "darts.methods.stages:Growing", "deeper supernets with fewer candidates (P-DARTS)"
        ),
        "widening": PartEntry(
            "darts.methods.stages:Widening", "more channels, fewer candidates (DrNAS)"
        ),
    },
    "stopping": {
        "eigenvalue": PartEntry(
            "darts.methods.stopping:EigenvalueRule",
            "when the dominant eigenvalue of the validation Hessian rises (RobustDARTS)",
        ),
        "skip-count": PartEntry(
            "darts.methods.stopping:SkipCount",
            "when the normal cell has too many skip connections (DARTS+)",
        ),
        "fixed-epoch": PartEntry(
            "darts.methods.stopping:FixedEpoch", "after a given number of epochs"
        ),
    },
    "selection": {
        "strongest": PartEntry(
            "darts.methods.selection:StrongestEdges", "the strongest edges of each node"
        ),
        "alpha": PartEntry(
            "darts.methods.selection:StrongestOperations",
            "the strongest edges by alpha alone, without beta",
        ),
        "best-pairs": PartEntry(
            "darts.methods.pairs:BestPairs", "the strongest pairs of operation and input (GDAS)"
        ),
        "zero-may-win": PartEntry(
            "darts.methods.threshold:ZeroMayWin", "an edge that `none` wins is absent (SNAS)"
        ),
        "threshold": PartEntry(
            "darts.methods.threshold:Threshold", "operations above a threshold (FairDARTS)"
        ),
        "skip-limit": PartEntry(
            "darts.methods.limits:SkipLimit",
            "the strongest edges with a limit on skip connections (P-DARTS)",
        ),
        "projection": PartEntry(
            "darts.methods.projection:Projection",
            "what the supernet loses without an operation, with fine-tuning (DARTS-PT)",
        ),
        "best-child": PartEntry(
            "darts.methods.children:BestChild",
            "the best of sampled cells with inherited weights (random search)",
        ),
        "evolution": PartEntry(
            "darts.methods.evolution:Evolution",
            "the best of an evolution of cells with inherited weights (SPOS)",
        ),
    },
}

PARTS: Mapping[str, Mapping[str, PartEntry]] = MappingProxyType(_PARTS)
"""All parts by kind and name: the built-in ones and those that `register_part` has added."""


def register_part(kind: str, name: str, where: str, summary: str) -> None:
    """Add a part, in this process.

    Args:
        kind: A key of `PARTS`.
        name: Its name.
        where: Its class, a frozen dataclass, as "module:name".
        summary: What it does, in one line.

    Raises:
        UserError: There is no such kind, or the name is taken.
    """
    if kind not in _PARTS:
        raise UserError(f"{name}: there is no kind of part {kind!r}; kinds: {', '.join(_PARTS)}.")
    entry = PartEntry(where, summary)
    if name == NO_PART or _PARTS[kind].setdefault(name, entry) != entry:
        raise UserError(f"{kind} {name!r}: there is already one of this name.")


def create_part(kind: str, spec: PartSpec) -> Any:
    """The part that a user has named.

    >>> create_part("relaxation", PartSpec.parse("softmax:edge_normalisation=false"))
    Softmax(edge_normalisation=False)

    Args:
        kind: A key of `PARTS`.
        spec: Name and numbers.

    Raises:
        UserError: There is no such part or number, or a number has the wrong type or range.
    """
    known = PARTS[kind]
    if spec.name not in known:
        raise UserError(
            f"--{kind} {spec.name}: there is no such {kind}.{closest(spec.name, known)} "
            f"Choices are {', '.join((*known, NO_PART))}; name the file of your own with --use."
        )
    cls = known[spec.name].load()
    settable = part_fields(cls)
    values = {}
    for key, value in spec.values.items():
        if key not in settable:
            choices = ", ".join(settable) or "it has no numbers"
            raise UserError(f"--{kind} {spec}: {spec.name} has no {key!r} (choices: {choices}).")
        values[key] = _converted(value, settable[key], f"--{kind} {spec}: {key}")
    try:
        return cls(**values)
    except ValueError as error:
        raise UserError(f"--{kind} {spec}: {error}") from None


def part_fields(cls: type) -> dict[str, Any]:
    """The fields of a part that a user may set, with their types."""
    if not is_dataclass(cls):
        return {}
    types = get_type_hints(cls)
    return {one.name: types[one.name] for one in fields(cls) if one.init}


_PLAIN: Mapping[type, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (lambda value: type(value) is int, "a whole number"),
    float: (lambda value: type(value) in (int, float), "a number"),
    str: (lambda value: isinstance(value, str), "a word"),
}


def _converted(value: Any, wanted: Any, where: str) -> Any:
    """A value with the type of its field; the type may be plain or a tuple of plain ones."""
    inner = getattr(wanted, "__args__", ())
    if getattr(wanted, "__origin__", None) is tuple and inner:
        given = value if isinstance(value, (tuple, list)) else (value,)
        return tuple(_converted(one, inner[0], where) for one in given)
    for plain, (fits, words) in _PLAIN.items():
        if wanted is plain and not fits(value):
            raise UserError(f"{where}: must be {words}, not {value!r}.")
    if inner and getattr(wanted, "__origin__", None) is not tuple and value not in inner:
        raise UserError(f"{where}: must be one of {', '.join(map(str, inner))}, not {value!r}.")
    return float(value) if wanted is float else value
