"""What a net has said, beside what was wanted: a few lines of a run's texts."""

import textwrap
from pathlib import Path

import pandas as pd

from repro.storage.tables import read

SHOWN = 5
WIDTH = 110  # letters of a line


def chosen(folder: Path) -> pd.DataFrame:
    """Five rows of texts.csv, evenly spread over it, so from short to long; none where a run wrote no texts."""
    path = folder / "texts.csv"
    if not path.is_file():
        return pd.DataFrame()
    rows = read(path, words=("target", "predicted"))
    rows = rows[(rows["seed"] == rows["seed"].min()) & (rows["split"] == rows["split"].iloc[-1])]
    count = min(SHOWN, len(rows))
    places = [(2 * i + 1) * len(rows) // (2 * count) for i in range(count)]
    found: pd.DataFrame = rows.iloc[places].assign(among=len(rows))
    return found


def lines(folder: Path) -> list[str]:
    """The same to read: each reference above what the net said."""
    rows = chosen(folder)
    if rows.empty:
        return []
    first = rows.iloc[0]
    said = [f"{len(rows)} of {first['among']:,} texts of {first['split']}, from short to long (texts.csv)"]
    for _, row in rows.iterrows():
        said += [*_wrapped("wanted", str(row["target"])), *_wrapped("said", str(row["predicted"])), ""]
    return said[:-1]


def _wrapped(word: str, text: str) -> list[str]:
    start = f"{word:<8}"
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) or [start.rstrip()]
