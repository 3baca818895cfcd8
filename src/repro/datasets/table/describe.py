"""What was made of a table, in lines to read before anything is trained."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from repro.datasets.splits import Indices
from repro.datasets.table.columns import Column
from repro.datasets.table.read import Sheet
from repro.datasets.table.target import Target

WIDTH = 100
SHOWN = 30  # classes with a line of their own


def of_columns(sheet: Sheet, columns: Sequence[Column], dropped: Sequence[str]) -> list[str]:
    """Rows, columns by kind, and what was left out."""
    rows, width = sheet.cells.shape
    lines = [f"{Path(sheet.path).name}: {rows} rows, {width} columns; {sheet.form}"]
    for kind, heading in (("number", "numbers"), ("date", "dates"), ("category", "categories"), ("out", "left out")):
        said = [f"{c.name or '(no name)'}{f' ({c.says})' if c.says else ''}" for c in columns if c.kind == kind]
        said += [f"{name} (as asked)" for name in dropped] if kind == "out" else []
        if said:
            lines += entry(heading, ", ".join(said))
    if out := [c.name for c in columns if c.kind == "out" and re.fullmatch(r"\w+", c.name)]:
        lines += entry("", f"dataset.keep=[{out[0]}] takes one in all the same")
    return lines


def of_target(target: Target, splits: Mapping[str, Indices], how: str) -> list[str]:
    """What is predicted, how the rows are split, and each class with its samples by split."""
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in splits.items())
    lines = entry("split", f"{sizes} rows, {how}")
    if not target.classes:
        y = target.y[splits["train"]]
        number = f"numbers of mean {y.mean():.6g} and standard deviation {y.std():.6g} in training"
        lines += entry("predicted", f"{target.name}: {number}; standardized for the net, whose loss is in that unit")
        return lines + _notes(target.notes)
    counts = {name: np.bincount(target.y[rows], minlength=len(target.classes)) for name, rows in splits.items()}
    shown = sorted(np.argsort(-counts["train"], kind="stable")[:SHOWN])
    table = pd.DataFrame({name: values[shown] for name, values in counts.items()})
    table.insert(0, target.name, [target.classes[i] for i in shown])
    lines += entry("predicted", f"{target.name}, one of {len(target.classes)} classes")
    lines += [
        "",
        *tabulate(table, headers="keys", showindex=False, tablefmt="simple", disable_numparse=[0]).split("\n"),
    ]
    if len(shown) < len(target.classes):
        lines.append(f"... and {len(target.classes) - len(shown)} classes more")
    lacking = [
        f"{name} has no sample of {', '.join(_some([target.classes[i] for i in np.flatnonzero(values == 0)]))}: "
        + ("what is never seen cannot be learnt" if name == "train" else f"no {name} score says anything of it")
        for name, values in counts.items()
        if len(splits[name]) and (values == 0).any()
    ]
    return [*lines, "", *_notes([*lacking, *target.notes])] if lacking or target.notes else lines


def entry(heading: str, text: str) -> list[str]:
    """A heading and what stands behind it, in lines of their width."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=f"{heading:<12} ", subsequent_indent=" " * 13, break_on_hyphens=False
    )


def _notes(notes: Iterable[str]) -> list[str]:
    return [line for note in notes for line in entry("note", note)]


def _some(names: Sequence[str]) -> list[str]:
    return [*names[:5], *([f"{len(names) - 5} others"] if len(names) > 5 else [])]
