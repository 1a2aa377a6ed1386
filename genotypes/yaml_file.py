"""Reading the YAML files of genotypes and spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.plain_files import PlainFileError, read_yaml_file

_LARGEST = 4 * 2**20


def read_yaml(path: Path, where: str) -> Any:
    """The content of a YAML file.

    Args:
        path: The file.
        where: Name of the file for error messages.

    Raises:
        GenotypeError: The file is missing, or no YAML of plain values.
    """
    try:
        return read_yaml_file(path, _LARGEST)
    except FileNotFoundError:
        raise GenotypeError(f"{where}: no such file") from None
    except PlainFileError as error:
        raise GenotypeError(f"{where}: {error}") from None
    except OSError as error:
        raise GenotypeError(f"{where}: cannot be read: {error.strerror}") from None
