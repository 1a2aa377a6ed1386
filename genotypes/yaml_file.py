"""Reading YAML files strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from genotypes.errors import GenotypeError


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a repeated key (YAML keeps the last one)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, where: str) -> Any:
    """The content of a YAML file.

    Args:
        path: The file.
        where: Name of the file for error messages.

    Raises:
        GenotypeError: The file is missing, or not valid YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GenotypeError(f"{where}: no such file") from None
    except UnicodeDecodeError as error:
        raise GenotypeError(f"{where}: not a text file: {error.reason}") from error
    except OSError as error:
        raise GenotypeError(f"{where}: cannot be read: {error.strerror}") from error
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise GenotypeError(f"{where}: not valid YAML{place}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise GenotypeError(f"{where}: not valid YAML: {error}") from error
    except (ValueError, RecursionError):
        # A date such as 2001-99-99, or thousands of nested brackets.
        raise GenotypeError(f"{where}: not YAML that can be read") from None
