"""How a search ends: the best setting, the line to type for it, a figure."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.storage.search import best, value_of


def conclude(folder: Path, aim: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of a search's runs and its figure, and say what was best.

    Args:
        folder: of the sweep.
        aim: what `repro.storage.search.asked` gives.
        outcomes: of the runs that were not lost, in the order in which they were tried.
    """
    from repro.plots.search import draw
    from repro.storage.statistics import number
    from repro.storage.tables import write

    found = best(outcomes, aim["direction"])
    if found is None:
        print(f"no run has a finite {aim['monitor']}, so that none is best")
        return
    rows = [(i, one["folder"], one["status"], *_tried(one, aim), value_of(one)) for i, one in enumerate(outcomes)]
    write(folder / "search.csv", ("trial", "run", "status", *aim["settings"], aim["monitor"]), rows)
    files = draw(folder / "search.csv", aim["settings"], aim["monitor"], aim["direction"], folder / "search")
    which = "lowest" if aim["direction"] == "minimize" else "highest"
    words = " ".join(f"{k}={v}" for k, v in zip(aim["settings"], _tried(found, aim), strict=True))
    print(f"{which} {aim['monitor']} of {len(outcomes)} runs: {number(value_of(found) or 0.0)} with {words}")
    print(f"to see it: repro train {shlex.join(found['overrides'])}")
    print(f"tables and figures: {folder / 'search.csv'}, {', '.join(file.name for file in files)}")


def _tried(outcome: Mapping[str, Any], aim: Mapping[str, Any]) -> list[str]:
    given = dict(word.partition("=")[::2] for word in outcome["overrides"])
    return [given[setting] for setting in aim["settings"]]
