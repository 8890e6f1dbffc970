"""The corruptions that exist. A module in ``causes/`` that defines ``CORRUPTIONS`` is found by itself."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping
from functools import cache

from robust.corruptions import causes
from robust.corruptions.laws import Corruption
from robust.corruptions.records import CLEAN, SEVERITIES, GroundTruthPolicy, Parameter, Variant
from robust.errors import RobustError, UnknownName, UsageError

_REGISTERED: dict[str, Corruption] = {}


def register(corruption: Corruption) -> None:
    """Add a corruption.

    Raises:
        RobustError: the name is taken, or the severity table has a gap or uneven keys.
    """
    _add(corruption, _REGISTERED)


def _add(corruption: Corruption, registered: dict[str, Corruption]) -> None:
    if corruption.name == CLEAN or corruption.name in registered:
        raise RobustError(f"A corruption named {corruption.name!r} is already registered.")
    keys = {frozenset(parameters) for parameters in corruption.severities.values()}
    if tuple(sorted(corruption.severities)) != SEVERITIES or len(keys) != 1:
        raise RobustError(f"Corruption {corruption.name!r} needs the same parameters at severities 1 to 5.")
    registered[corruption.name] = corruption


@cache
def _discover() -> None:
    """Register what the modules in ``causes/`` declare; nothing where one fails, so that the next call fails too."""
    found = dict(_REGISTERED)
    for module in sorted(info.name for info in pkgutil.iter_modules(causes.__path__)):
        for corruption in getattr(importlib.import_module(f"{causes.__name__}.{module}"), "CORRUPTIONS", ()):
            _add(corruption, found)
    _REGISTERED.update(found)


def names() -> tuple[str, ...]:
    """Names of all corruptions, sorted."""
    _discover()
    return tuple(sorted(_REGISTERED))


def get(name: str) -> Corruption:
    """Return a corruption by name.

    Raises:
        UnknownName: nobody registered it.
    """
    _discover()
    if name not in _REGISTERED:
        raise UnknownName("corruption", name, _REGISTERED)
    return _REGISTERED[name]


def make_variant(
    name: str,
    severity: int,
    *,
    seed: int = 0,
    overrides: Mapping[str, Parameter] | None = None,
    ground_truth: GroundTruthPolicy | None = None,
) -> Variant:
    """Return the full recipe of a corruption at a severity.

    Args:
        name: A registered corruption, or ``clean``.
        severity: 1..5; 0 for ``clean``.
        seed: The suite's seed.
        overrides: Parameters that replace those of the severity table.
        ground_truth: Replaces the corruption's own policy.

    Raises:
        UnknownName: the corruption or a parameter does not exist.
        UsageError: the severity is outside 1..5, a parameter has the wrong type or is outside its range, or parameters
            cannot be together.
    """
    if name == CLEAN:
        return Variant(CLEAN, 0)
    corruption = get(name)
    if severity not in corruption.severities:
        raise UsageError(
            f"Severity {severity} of {name!r} does not exist.", f"Known: {', '.join(map(str, SEVERITIES))}."
        )
    parameters = dict(corruption.severities[severity])
    for key, value in (overrides or {}).items():
        if key not in parameters:
            raise UnknownName(f"parameter of {name}", key, parameters)
        allowed = corruption.ranges.get(key, (0.0, math.inf))
        parameters[key] = _checked(f"{name}.{key}", value, parameters[key], allowed)
    if overrides:
        corruption.steps(parameters, (1, 1))  # what cannot be together is refused here, not at the first image
    policy = ground_truth or corruption.ground_truth
    return Variant(name, severity, seed, tuple(sorted(parameters.items())), policy, corruption.version)


def _checked(name: str, value: Parameter, example: Parameter, allowed: tuple[float, float]) -> Parameter:
    if isinstance(example, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(example):
        raise UsageError(f"Parameter {name} must be of type {type(example).__name__}, not {value!r}.")
    if isinstance(value, (int, float)) and not (math.isfinite(value) and allowed[0] <= value <= allowed[1]):
        low, high = (f"{bound:g}" for bound in allowed)
        between = f"at least {low}" if math.isinf(allowed[1]) else f"from {low} to {high}"
        raise UsageError(f"Parameter {name} must be {between}, not {value!r}.")
    return value
