"""Where a translation looked: source words against the words said."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots.style import TEXT, figure

WORDS = ("target_word", "source_word")  # columns of text
ROW = 0.17  # inches of a word


def pictures(looks: pd.DataFrame, summary: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """A figure a sentence: columns are source words, rows the words of the translation, dark where it looked."""
    del summary
    for sample, rows in looks.groupby("sample"):
        weights = rows.pivot(index="target_place", columns="source_place", values="value")
        source, said = (
            rows.drop_duplicates(f"{side}_place").set_index(f"{side}_place")[f"{side}_word"].sort_index().tolist()
            for side in ("source", "target")
        )
        fig = figure(min(TEXT, 1.6 + ROW * 1.3 * len(source)), 1.2 + ROW * len(said))
        _picture(fig.subplots(), weights, source, said)
        yield (f"Attention, sentence {sample}: for each word said (rows) where it looked, weights from 0 to 1", fig)


def _picture(ax: Axes, weights: pd.DataFrame, source: list[str], said: list[str]) -> None:
    ax.imshow(weights.to_numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(source)), [_plain(word) for word in source], rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(said)), [_plain(word) for word in said])
    ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.grid(visible=False)


def _plain(word: str) -> str:
    """A word that matplotlib takes for no formula."""
    return word.replace("$", r"\$")
