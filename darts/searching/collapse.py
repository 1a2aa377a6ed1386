"""The collapse of a search: its signs, and the warning that names what helps.

A search collapses when operations without weights win because they are easy to train, not because
they are good: the normal cell fills with skip connections or with poolings (DARTS+, arXiv
1909.06035; RobustDARTS, arXiv 1909.09656). A single such cell may be chance: of random cells of the
space of DARTS, 2 % have half skips and 17 % half poolings. So a sign has to last for some epochs in
which alpha was trained and has moved, or to be there at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from darts.errors import UserError
from darts.methods.catalogue import METHODS, create_method, resolve_parts
from darts.report.style import POOL, SKIP, cell_title, operation_family, operation_label
from darts.searching.options import SearchOptions
from genotypes import Genotype
from ops.registry import find_operation, list_operations

DECIDED = 0.05
"""Entropy of the operations below which a search counts as decided."""
UNDECIDED = 0.9999
"""Entropy above which alpha has hardly moved: a standard deviation below about 0.02."""


class Sign(NamedTuple):
    """A sign of collapse.

    Attributes:
        name: "skips", "pools", "uniform" or "undertrained".
        kind: The kind of cell that shows it.
        text: What is wrong, as a sentence.
    """

    name: str
    kind: str
    text: str


def signs_of_collapse(
    genotype: Genotype, measured: Mapping[str, Any], classes: int
) -> dict[str, Sign]:
    """The signs of collapse after an epoch, by a unique name.

    - skips, pools: at least half of the kept edges of the normal cell.
    - uniform: all edges of a cell have the same operation, although there are more than two to
      choose from. (In S4 the good cells have only separable convolutions.)
    - undertrained: alpha is decided while the supernet is hardly better than chance.

    >>> from dataclasses import replace
    >>> from genotypes import load_genotype
    >>> node = (("skip_connect", 0), ("sep_conv_3x3", 1))
    >>> cell = replace(load_genotype("darts_v2"), normal=(node,) * 4)
    >>> signs_of_collapse(cell, {}, classes=10)["skips normal"].text
    'In the normal cell 4 of 8 edges are skip connections.'

    Args:
        genotype: The derived cell.
        measured: `normal_entropy` and `supernet_accuracy`, where they are known.
        classes: Number of classes.
    """
    found = []
    for kind in genotype.kinds:
        title, names = cell_title(kind), kept_operations(genotype, kind)
        skips, pools = (count_family(names, family) for family in (SKIP, POOL))
        if kind == "normal" and names and 2 * skips >= len(names):
            text = f"In the {title} {skips} of {len(names)} edges are skip connections."
            found.append(Sign("skips", kind, text))
        elif kind == "normal" and names and 2 * pools >= len(names):
            text = f"In the {title} {pools} of {len(names)} edges are poolings."
            found.append(Sign("pools", kind, text))
        elif (name := _only_operation(genotype, kind)) is not None:
            text = f"All edges of the {title} have the operation {operation_label(name)}."
            found.append(Sign("uniform", kind, text))
    entropy, accuracy = measured.get("normal_entropy"), measured.get("supernet_accuracy")
    if entropy is not None and accuracy is not None:
        chance = 100 / classes
        if entropy < DECIDED and accuracy < min(2 * chance, chance + 0.1 * (100 - chance)):
            text = (
                f"The operations of the normal cell are decided (entropy {entropy:.2f} of 1), but "
                f"the supernet classifies only {accuracy:.0f} % of the images correctly."
            )
            found.append(Sign("undertrained", "normal", text))
    return {f"{sign.name} {sign.kind}": sign for sign in found}


def kept_operations(genotype: Genotype, kind: str) -> list[str]:
    """The operations of the edges of a cell, without absent edges.

    >>> from genotypes import load_genotype
    >>> len(kept_operations(load_genotype("darts_v2"), "normal"))
    8
    """
    names = [name for node in genotype.cell(kind)[0] for name, _ in node]
    absent = {name for name in list_operations() if find_operation(name).absent}
    return [name for name in names if name not in absent]


def count_family(names: list[str], family: object) -> int:
    """How many operations belong to a family of `darts.report.style`."""
    return sum(operation_family(name) is family for name in names)


def _only_operation(genotype: Genotype, kind: str) -> str | None:
    """The operation of all edges of a cell that had more than two to choose from."""
    edges = [
        (name, len(genotype.rules.choices(kind, source, target)))
        for target, node in enumerate(genotype.cell(kind)[0], start=genotype.rules.inputs)
        for name, source in node
    ]
    names = {name for name, _ in edges}
    free = len(edges) > 1 and all(choices > 2 for _, choices in edges)
    return names.pop() if free and len(names) == 1 else None


_CURES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "skips": (
        ("skips", "auxiliary"),
        ("regulariser", "beta-decay"),
        ("perturbation", "random"),
        ("stopping", "eigenvalue"),
        ("selection", "skip-limit"),
    ),
    "pools": (
        ("regulariser", "beta-decay"),
        ("perturbation", "random"),
        ("stopping", "eigenvalue"),
        ("selection", "projection"),
    ),
    "uniform": (
        ("regulariser", "beta-decay"),
        ("perturbation", "random"),
        ("selection", "projection"),
    ),
    "undertrained": (("regulariser", "beta-decay"),),
}
"""By sign the parts that help, as (kind, name)."""

_METHODS: Mapping[str, tuple[str, ...]] = {
    "skips": ("darts-minus", "sdarts-rs", "r-darts"),
    "pools": ("beta-darts", "sdarts-rs", "darts-pt"),
    "uniform": ("beta-darts", "darts-pt"),
}
"""By sign the methods that were made against it."""


def cures(sign: str, options: SearchOptions) -> list[str]:
    """The flags that help against a sign of collapse, and that suit the other settings.

    >>> cures("undertrained", SearchOptions(epochs=10, arch_warmup_epochs=2))
    ['--arch-warmup-epochs 5', '--arch-learning-rate 6e-05', '--regulariser beta-decay']

    Args:
        sign: Name of the sign.
        options: The settings of the search.
    """
    flags = []
    half = options.epochs // 2
    if sign != "skips" and options.arch_warmup_epochs < half:
        flags.append(f"--arch-warmup-epochs {half}")
    if sign == "undertrained":
        flags.append(f"--arch-learning-rate {options.arch_learning_rate / 10:g}")
    present = resolve_parts(options.method, options.chosen_parts, options.order)
    for kind, name in _CURES[sign]:
        joined = kind in ("regulariser", "skips")
        before = present[kind] if joined and present[kind] != "none" else ""
        names = [spec.partition(":")[0] for spec in present[kind].split("+")]
        text = f"{before}+{name}" if before else name
        if name not in names and _suits(options, kind, text):
            flags.append(f"--{kind} {text}")
    known = [name for name in _METHODS.get(sign, ()) if name in METHODS and name != options.method]
    return flags + [f"--method {name}" for name in known]


def _suits(options: SearchOptions, kind: str, text: str) -> bool:
    """Whether a part works together with the other parts of the search."""
    try:
        create_method(
            options.method,
            edge_normalisation=options.edge_normalisation,
            order=options.order,
            chosen={**options.chosen_parts, kind: text},
        )
    except UserError:
        return False
    return True


class CollapseWatch:
    """Warns once of each sign of collapse.

    >>> from dataclasses import replace
    >>> from genotypes import load_genotype
    >>> watch, options = CollapseWatch(patience=1), SearchOptions()
    >>> node = (("skip_connect", 0), ("sep_conv_3x3", 1))
    >>> cell = replace(load_genotype("darts_v2"), normal=(node,) * 4)
    >>> watch.look(signs_of_collapse(cell, {}, 10), 1, options)[0]["sign"]
    'skips'
    >>> watch.look(signs_of_collapse(cell, {}, 10), 2, options)
    []

    Args:
        patience: Number of epochs in a row that a sign has to last.

    Attributes:
        warnings: All warnings so far: `epoch` (finished epochs), `sign`, `kind`, `text`.
    """

    def __init__(self, patience: int = 3) -> None:
        self.patience = patience
        self.lasted: dict[str, int] = {}
        self.warnings: list[dict[str, Any]] = []

    def look(
        self, signs: Mapping[str, Sign], epochs: int, options: SearchOptions, *, last: bool = False
    ) -> list[dict[str, Any]]:
        """The new warnings after an epoch.

        Args:
            signs: What the epoch shows.
            epochs: Number of finished epochs.
            options: The settings of the search, for what helps.
            last: Whether the search ends, so that no sign can last any longer.
        """
        self.lasted = {name: self.lasted.get(name, 0) + 1 for name in signs}
        warned = {(one["sign"], one["kind"]) for one in self.warnings}
        new = []
        for name, sign in signs.items():
            if (sign.name, sign.kind) in warned or not (last or self.lasted[name] >= self.patience):
                continue
            text = f"{sign.text} {_ADVICE[sign.name]}"
            if flags := cures(sign.name, options):
                text += f" Start again with one of: {', '.join(flags)}."
            new.append({"epoch": epochs, "sign": sign.name, "kind": sign.kind, "text": text})
        self.warnings += new
        return new

    def state_dict(self) -> dict[str, Any]:
        return {"lasted": dict(self.lasted), "warnings": list(self.warnings)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.lasted, self.warnings = dict(state["lasted"]), list(state["warnings"])


_ADVICE: Mapping[str, str] = {
    "skips": "The search has collapsed: such cells are easy to train, but less accurate.",
    "pools": "The search has collapsed: poolings win because they have no weights to train.",
    "uniform": "The search has collapsed, or the space has one operation that is always best.",
    "undertrained": "The cell is decided before the weights can tell which operations are good.",
}
