"""Every shipped cell's formula in numpy, written from its paper; found by looking."""

import importlib
import pkgutil

from formulas.base import FORMULAS, Formula, Weights

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"formulas.{module.name}")

__all__ = ["FORMULAS", "Formula", "Weights"]
