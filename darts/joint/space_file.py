"""Search spaces as YAML files: the built-in spaces and those of users.

```yaml
name: my-space
about: where the ranges come from
network: regnet             # kind of network; left out if the space has only a recipe
architecture:
  depth: {integer: [12, 28]}                  # also: step: 2
  w0: {integer: [16, 64], step: 8}
  wa: {real: [8, 64], step: 0.1}              # without a step: any real number
  wm: {real: [2, 3]}
  group_width: {choice: [8, 16, 32]}
recipe:                     # options of `python evaluate.py --help`
  learning_rate: {log: [0.01, 0.3]}
  regularisation: {real: [0, 0.3], sets: [drop_path, label_smoothing]}     # sets two options
constraints:
  - nondecreasing: [w0, w1]
  - multiple: [w0, group_width]
rules:
  - {when: {optimiser: sgd}, multiply: {learning_rate: 4}}
```
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from darts.errors import UserError
from darts.files import read_yaml_file, user_path
from darts.joint.space import Constraint, Rule, Space
from darts.joint.variables import (
    CategoricalDomain,
    ContinuousDomain,
    Domain,
    GridDomain,
    Part,
    Variable,
)

_SHIPPED = Path(__file__).parent / "spaces"
_KEYS = ("name", "about", "network", "architecture", "recipe", "constraints", "rules")
_KINDS = ("choice", "integer", "real", "log")


def list_joint_spaces() -> tuple[str, ...]:
    """Names of the built-in spaces."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


def find_joint_space(name: str) -> Space:
    """Find a space by name or file, or join several: `darts-cell+recipe`, `own.yaml+recipe`.

    >>> space = find_joint_space("darts-cell+recipe-small")
    >>> space.network, len(space.variables)
    ('cells', 11)

    Raises:
        UserError: There is no such space, or its file is wrong.
    """
    first, *others = (load_space(_path(part)) for part in name.split("+"))
    for other in others:
        first = first + other
    if not len(first):
        raise UserError(f"{name}: the space has no variables.")
    return first


def _path(name: str) -> Path:
    if name in list_joint_spaces():
        return _SHIPPED / f"{name}.yaml"
    path = user_path(name)
    if path.is_file():
        return path
    close = difflib.get_close_matches(name, list_joint_spaces(), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise UserError(
        f"There is no search space {name!r}, and no such file.{hint} The built-in spaces are "
        f"{', '.join(list_joint_spaces())}; join two with '+', as in darts-cell+recipe."
    )


def load_space(path: Path | str) -> Space:
    """Read a space from a YAML file.

    Raises:
        UserError: The file is wrong; the message names the variable and the reason.
    """
    try:
        values = read_yaml_file(Path(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as YAML: {error}") from None
    try:
        return parse_space(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse_space(values: Any) -> Space:
    """Build a space from the content of a space file.

    >>> content = {"name": "tiny", "recipe": {"learning_rate": {"log": [0.01, 1]}}}
    >>> parse_space(content).targets()
    ('learning_rate',)

    Raises:
        UserError: The content does not describe a space.
    """
    values = _mapping(values, "a space")
    _known(values, _KEYS, "a space")
    if not isinstance(values.get("name"), str):
        raise UserError("a space needs a name")
    variables = tuple(
        _variable(name, part, described)
        for part in get_args(Part)
        for name, described in _mapping(values.get(part) or {}, part).items()
    )
    space = Space(
        name=values["name"],
        network=values.get("network"),
        variables=variables,
        constraints=tuple(map(_constraint, _list(values, "constraints"))),
        rules=tuple(map(_rule, _list(values, "rules"))),
        about=str(values.get("about") or "").strip(),
    )
    _check(space)
    return space


def describe_space(space: Space) -> dict[str, Any]:
    """Return the content of a space file; the inverse of `parse_space`."""
    parts: dict[str, dict[str, Any]] = {part: {} for part in get_args(Part)}
    for variable in space.variables:
        described = _described(variable.domain)
        if variable.sets != (variable.name,):
            described["sets"] = list(variable.sets)
        parts[variable.part][variable.name] = described
    return {
        "name": space.name,
        "about": space.about,
        "network": space.network,
        **parts,
        "constraints": [{c.kind: list(c.names)} for c in space.constraints],
        "rules": [
            {"when": {rule.variable: rule.value}, "multiply": dict(rule.factors)}
            for rule in space.rules
        ],
    }


def _described(domain: Domain) -> dict[str, Any]:
    if isinstance(domain, CategoricalDomain):
        return {"choice": list(domain.values)}
    if isinstance(domain, ContinuousDomain):
        return {"log" if domain.log else "real": [domain.low, domain.high]}
    return {"integer" if domain.whole else "real": [domain.low, domain.high], "step": domain.step}


def _variable(name: Any, part: Part, described: Any) -> Variable:
    where = f"variable {name}"
    described = _mapping(described, where)
    _known(described, (*_KINDS, "step", "sets"), where)
    kinds = [kind for kind in _KINDS if kind in described]
    if len(kinds) != 1:
        raise UserError(f"{where}: give one of {', '.join(_KINDS)}")
    sets = described.get("sets", [name])
    if not isinstance(sets, list) or not sets or not all(isinstance(s, str) for s in sets):
        raise UserError(f"{where}: sets must be a list of names")
    try:
        domain = _domain(kinds[0], described[kinds[0]], described.get("step"))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return Variable(name=str(name), part=part, domain=domain, sets=tuple(sets))


def _domain(kind: str, values: Any, step: Any) -> Domain:
    if step is not None and kind not in ("integer", "real"):
        raise UserError(f"a {kind} has no step")
    if not isinstance(values, list):
        raise UserError(f"{kind} takes a list, not {values!r}")
    if kind == "choice":
        return CategoricalDomain(tuple(values))
    low, high = _numbers(values, kind, 2)
    if kind == "integer" or step is not None:
        (step,) = _numbers([1 if step is None else step], "step", 1)
        return GridDomain(low, high, step, whole=kind == "integer")
    return ContinuousDomain(low, high, log=kind == "log")


def _numbers(values: list[Any], what: str, count: int) -> list[float]:
    # YAML reads 1e-3 as a string, because it expects 1.0e-3; people write the former.
    read = []
    for value in values:
        try:
            read.append(value if type(value) is int else float(str(value)))
        except ValueError:
            raise UserError(f"{what}: {value!r} is not a number") from None
    if len(read) != count:
        raise UserError(f"{what} takes [low, high], not {values}")
    return read


def _constraint(described: Any) -> Constraint:
    described = _mapping(described, "a constraint")
    _known(described, ("nondecreasing", "multiple"), "a constraint")
    if len(described) != 1:
        raise UserError(f"a constraint is either nondecreasing or multiple, not {described}")
    ((kind, names),) = described.items()
    fits = isinstance(names, list) and len(names) >= 2 and (kind != "multiple" or len(names) == 2)
    if not fits:
        many = "two names" if kind == "multiple" else "two or more names"
        raise UserError(f"constraint {kind}: give a list of {many}, not {names!r}")
    return Constraint(kind, tuple(names))


def _rule(described: Any) -> Rule:
    described = _mapping(described, "a rule")
    _known(described, ("when", "multiply"), "a rule")
    when = _mapping(described.get("when"), "the 'when' of a rule")
    factors = _mapping(described.get("multiply"), "the 'multiply' of a rule")
    if len(when) != 1:
        raise UserError("the 'when' of a rule names one variable and its value")
    ((name, value),) = when.items()
    read = [(str(key), _numbers([f], f"rule on {key}", 1)[0]) for key, f in factors.items()]
    return Rule(str(name), value, tuple(read))


def _check(space: Space) -> None:
    """Check that constraints and rules use known names, and that no setting is decided twice."""
    targets = space.targets()
    if twice := sorted({name for name in targets if targets.count(name) > 1}):
        raise UserError(f"{', '.join(twice)} is decided twice")
    used = [(f"constraint {c.kind}", name) for c in space.constraints for name in c.names]
    for rule in space.rules:
        used += [("a rule", rule.variable), *(("a rule", name) for name, _ in rule.factors)]
    for where, name in used:
        if name not in targets:
            raise UserError(f"{where} names {name!r}, which no variable decides")
    decoded = space.columns(np.zeros((1, len(space))))
    for name in {name for constraint in space.constraints for name in constraint.names}:
        if decoded[name].dtype.kind not in "iuf":
            raise UserError(f"a constraint names {name!r}, which is not a number")


def _list(values: Mapping[str, Any], key: str) -> list[Any]:
    found = values.get(key) or []
    if not isinstance(found, list):
        raise UserError(f"{key} must be a list, not {found!r}")
    return found


def _mapping(values: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise UserError(f"{what} must be a mapping of names, not {values!r}")
    return values


def _known(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise UserError(f"{where}: unknown key {key!r}{hint}; the keys are {', '.join(known)}")
