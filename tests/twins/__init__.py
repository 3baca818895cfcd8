"""Slow, obvious twins of components, written down a second time; every module here may bring some.

A module's `ACTIVATIONS` has functions of NumPy arrays, by the name of an option of conf/activation. Its `QUANTITIES`
has functions of a layer's activations, a list of arrays (units, ...), one a sample, by the name of a row of layers.csv.
Its `OF_SAMPLES` has functions of these, of the inputs, and of the samples' classes.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any


def collected(name: str) -> dict[str, Callable[..., Any]]:
    """The twins of that kind in all modules of this folder."""
    modules = [importlib.import_module(f"twins.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {key: twin for module in modules for key, twin in getattr(module, name, {}).items()}
