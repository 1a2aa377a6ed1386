"""Recipes of the user's own: read strictly before anything looks at their values. Torch-free.

What YAML allows and nobody means is refused in one sentence: a setting twice, anchors (a few lines
can stand for gigabytes), tags, other encodings, none where a setting cannot be none.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from darts.errors import UserError, closest
from darts.settings.options import names_of
from genotypes.plain_files import PlainFileError, plain_yaml, read_text

_LARGEST = 1 << 20
_INPUTS = ("resume",)


def check_recipe_file(path: Path, cls: type) -> None:
    """Check a recipe for the options `cls`: encoding, form, names, and where there is no value.

    Raises:
        UserError: Something is wrong; the message names the file.
    """
    try:
        _check(_content(path), cls)
    except UserError as error:
        raise UserError(f"--config {path}: {error}") from None


def _content(path: Path) -> Any:
    try:
        text = read_text(path, _LARGEST)
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(text)):
            raise UserError("anchors and aliases (&name, *name) are not allowed.")
        return plain_yaml(text)
    except OSError as error:
        raise UserError(f"the file cannot be read: {error.strerror}.") from None
    except (PlainFileError, yaml.YAMLError, ValueError) as error:
        raise UserError(
            f"this is no YAML of plain values: {' '.join(str(error).split())}"
        ) from None


def _check(values: Any, cls: type) -> None:
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError("a recipe consists of lines such as 'epochs: 50'.")
    known = {one.name: one for one in fields(cls)}
    for name, value in values.items():
        plain = name.replace("-", "_")
        if name not in known:
            hint = f" Write {plain}." if plain in known else closest(plain, names_of(cls))
            raise UserError(f"there is no setting {name!r}.{hint}")
        if name in _INPUTS and value is not None:
            raise UserError(f"give --{name} on the command line, not in a recipe.")
        if value is None and "None" not in str(known[name].type):
            raise UserError(f"{name} has no value; leave the line out for the default.")
