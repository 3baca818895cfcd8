"""Figures: building blocks, a run's overview, an experiment's figures. They are drawn into files, never on a screen."""

import os

# A notebook's backend is looked up by its name when matplotlib is imported, and there may be none of that name here.
_outside = os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402, F401

if _outside is not None:
    os.environ["MPLBACKEND"] = _outside
