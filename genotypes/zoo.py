"""Genotypes as YAML files: reading, writing, and the published ones in this directory."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import yaml

from genotypes.atomic import atomic_write
from genotypes.errors import GenotypeError
from genotypes.genotype import Genotype, Node, parse_genotype
from genotypes.nasbench201 import find_cell
from genotypes.paths import user_path
from genotypes.spaces import plain_space
from genotypes.written import is_written, read_written
from genotypes.yaml_file import read_yaml

_ZOO = Path(__file__).parent
_SUFFIXES = (".yaml", ".yml")


def list_genotypes() -> tuple[str, ...]:
    """Names of the published genotypes that `load_genotype` knows, sorted."""
    return tuple(sorted(path.stem for path in _ZOO.glob("*.yaml")))


def load_genotype(name_or_path: str | os.PathLike[str]) -> Genotype:
    """Read and validate a genotype.

    >>> load_genotype("pcdarts_cifar10").normal[0]
    (('sep_conv_3x3', 1), ('skip_connect', 0))

    Args:
        name_or_path: A name of the zoo (see `list_genotypes`), a YAML file, the directory of a run
            with a `genotype.yaml`, or a cell of NAS-Bench-201: its string, `nb201-NUMBER` or its
            tuple in NASLib. Or a genotype as papers print it, `Genotype(normal=[…], …)`, or a
            Python, text or JSON file with one; `FILE:NAME` picks one of several.

    Raises:
        GenotypeError: There is no such genotype, or its file is wrong; the message names file
            and key.
    """
    text = str(name_or_path)
    if (cell := find_cell(text)) is not None:
        return cell
    if text in list_genotypes():
        path, where = _ZOO / f"{text}.yaml", f"genotypes/{text}.yaml"
    elif is_written(text):
        return read_written(text)
    else:
        path = genotype_file(text)
        where = str(path)
    return parse_genotype(read_yaml(path, where), where)


def genotype_file(text: str) -> Path:
    """The YAML file that a path names: itself, or the `genotype.yaml` of a run's directory.

    Raises:
        GenotypeError: There is no such file.
    """
    path = Path(text)
    try:
        path = user_path(path)
        path = path / "genotype.yaml" if path.is_dir() else path
        if path.exists():
            return path
    except OSError:  # A name that is too long for a file.
        pass
    raise GenotypeError(_not_found(path))


def save_genotype(genotype: Genotype, path: str | os.PathLike[str]) -> None:
    """Write `genotype` to the YAML file `path`, atomically; missing directories are created.

    Raises:
        GenotypeError: The provenance contains something that YAML cannot express.
    """
    text = format_genotype(genotype)
    with atomic_write(path) as stream:
        stream.write(text)


def format_genotype(genotype: Genotype) -> str:
    """The YAML text of a genotype, formatted for people: one node per line, provenance last."""
    head = _dump({"name": genotype.name, "space": plain_space(genotype.rules)})
    first, *others = (_format_cell(kind, *genotype.cell(kind)) for kind in genotype.kinds)
    blocks = [head, _legend(genotype.rules.inputs) + first, *others]
    if genotype.provenance:
        try:
            blocks.append(_dump({"provenance": dict(genotype.provenance)}))
        except yaml.representer.RepresenterError as error:
            problem = f"provenance: YAML cannot express {error.args[-1]!r}"
            raise GenotypeError(f"genotype {genotype.name!r}: {problem}") from error
    return "\n".join(blocks)


def _legend(inputs: int) -> str:
    sources = "Source 0 is the cell's input"
    if inputs == 2:
        sources = "Sources 0 and 1 are the cell's inputs"
    line = f"# One node per line, as [operation, source] pairs. {sources}, {inputs} is node 0."
    return f"{line}\n"


def _format_cell(kind: str, nodes: tuple[Node, ...], concat: tuple[int, ...]) -> str:
    pairs = (", ".join(f"[{op}, {source}]" for op, source in node) for node in nodes)
    lines = "".join(f"  - [{node}]\n" for node in pairs)
    return f"{kind}:\n{lines}{kind}_concat: [{', '.join(map(str, concat))}]\n"


def _dump(mapping: dict[str, Any]) -> str:
    return yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=96)


def _not_found(path: Path) -> str:
    zoo, word = list_genotypes(), path.stem.lower()
    close = [name for name in zoo if name.startswith(word)]
    close = close or difflib.get_close_matches(word, zoo, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    is_name = path.suffix not in _SUFFIXES and len(path.parts) == 1
    problem = "no such file or name" if is_name else "no such file"
    return f"no genotype {str(path)!r}{hint}: {problem} (names: {', '.join(zoo)})"
