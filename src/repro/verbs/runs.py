"""`repro runs`: the runs of a results folder, the newest first."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro.errors import printable
from repro.verbs.parser import parser

if TYPE_CHECKING:
    from repro.study.listing import Listed

EXAMPLES = """\
  repro runs
  repro runs activation=tanh,relu optimizer.lr=0.1 status=done
  repro runs 'activation=noisy*' depth=20 --last 10
  repro runs digits/mlp --format csv > runs.csv
"""

NONE = "train one with: repro train activation=noisy_tanh"


def main(words: Sequence[str]) -> int:
    """Run `repro runs [FILTER ...]`."""
    verb = parser("runs", EXAMPLES)
    verb.add_argument(
        "filters",
        nargs="*",
        metavar="FILTER",
        help="KEY=VALUE for a setting, a group's option, status (done, diverged, failed, unfinished, damaged) or seed, "
        "with commas between several values, or a pattern; or a part of a run's name",
    )
    verb.add_argument("--last", type=int, metavar="N", help="only the newest N")
    verb.add_argument("--format", choices=("text", "markdown", "latex", "csv", "json"), default="text")
    verb.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of the runs")
    asked = verb.parse_args(words)
    if asked.last is not None and asked.last < 1:
        verb.error(f"--last must be 1 or more, not {asked.last}")

    from repro.storage.cache import Cache, cache_root
    from repro.study.listing import chosen, runs_in

    runs = runs_in(asked.results_dir, Cache(cache_root(), "settings"))
    left = chosen(runs, asked.filters)[: asked.last]
    if asked.format == "json":
        print(json.dumps([_object(run) for run in left], indent=2))
    elif asked.format == "csv" or left:
        print(printable(_table(left, asked.format)))
    elif runs:
        print(
            printable(f"none of the {len(runs)} runs in {asked.results_dir / 'runs'} fits: {' '.join(asked.filters)}")
        )
    else:
        print(f"no runs in {asked.results_dir / 'runs'}; {NONE}")
    return 0


def _table(runs: "Sequence[Listed]", format: str) -> str:
    import pandas as pd

    from repro.config.naming import short_names, written
    from repro.text import tables

    splits = ("test", "valid", "train")
    rows = []
    for run in runs:
        values = [run.values.get(split) for split in splits]
        own = " ".join(f"{name}={written(value)}" for name, value in short_names(run.own).items())
        what = (run.id, run.status, f"{run.when:%Y-%m-%d %H:%M}", run.name.rpartition("/")[0], own, _seeds(run.seeds))
        rows.append((*what, run.metric or "", *values))
    found = pd.DataFrame(rows, columns=["run", "status", "when (UTC)", "of", "settings", "seeds", "metric", *splits])
    return tables.table(found.astype(dict.fromkeys(splits, float)), format)


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds in a row as the first and the last of them."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ",".join(map(str, seeds))


def _object(run: "Listed") -> dict[str, Any]:
    return {
        "run": run.id,
        "folder": str(run.folder),
        "status": run.status,
        "when": run.when.isoformat(timespec="seconds"),
        "of": run.name.rpartition("/")[0],
        "settings": run.own,
        "seeds": list(run.seeds),
        "metric": run.metric,
        **{split: run.values.get(split) for split in ("test", "valid", "train")},
    }
