"""Figures of the captions study: scores by epoch, at the end beside Table 3, and where words looked. Trains nothing."""

import pandas as pd
from matplotlib.figure import Figure

from repro.plots import looks
from repro.plots.experiment import Tables
from repro.plots.style import QUIET, activation_look
from repro.storage.statistics import estimate

from .plots.text_scores import Nets, at_the_end, by_epoch

NAMES = {
    "reference": "tanh, sigmoid (reference)",
    "reference_no_dropout": "the same, no dropout",
    "hard": "hard, no noise",
    "leak": "leak, no noise",
    "nah": "NAH",
    "nah_no_dropout": "NAH, no dropout",
    "nani": "NANI",
    "nanil": "NANIL",
}
COLORS = {
    "reference": activation_look("tanh").color,
    "reference_no_dropout": activation_look("tanh").color,
    "hard": activation_look("hard_tanh").color,
    "leak": activation_look("hard_tanh").color,
    "nah": activation_look("noisy_tanh", "nah").color,
    "nah_no_dropout": activation_look("noisy_tanh", "nah").color,
    "nani": activation_look("noisy_tanh", "nani").color,
    "nanil": activation_look("noisy_tanh", "nanil").color,
}
DASHED = ("reference_no_dropout", "leak", "nah_no_dropout", "nani")
TOGETHER = (("reference", "reference_no_dropout"), ("hard", "leak"), ("nah", "nah_no_dropout"), ("nanil", "nani"))
TABLE_3 = {  # BLEU-1 to 4, METEOR, NLL of a caption
    "reference": (67, 44.8, 29.9, 19.5, 18.9, 40.33),
    "nah": (66, 45.8, 30.69, 20.9, 20.5, 40.17),
    "nah_no_dropout": (64.9, 44.2, 30.7, 20.9, 20.3, 39.8),
    "nani": (66, 45.0, 30.6, 20.7, 20.5, 40.0),
    "nanil": (66, 44.6, 30.1, 20.0, 20.5, 39.9),
}
METRICS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "loss")
NETS = Nets(
    NAMES,
    COLORS,
    DASHED,
    TOGETHER,
    {name: dict(zip(METRICS, scores, strict=True)) for name, scores in TABLE_3.items()},
    table="Table 3",
    said="captions",
)
BY_EPOCH = {"loss": "NLL of a caption, nats", "bleu_4": "BLEU-4"}
AT_THE_END = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "loss": "NLL of a caption, nats"}
IMAGES = 3  # whose captions are drawn


def figures(tables: Tables) -> dict[str, Figure]:
    """Both metrics by epoch, those of the net that was kept, and where some of its words looked."""
    variants = NETS.there(tables.curves)
    drawn = {
        "by_epoch": by_epoch(tables.curves, NETS, BY_EPOCH),
        "table3": at_the_end(tables.runs, variants, NETS, AT_THE_END, "test"),
    }
    if (tables.folder / "looks.csv.gz").is_file():
        drawn["attention"] = _attention(tables.looks, variants)
    return drawn


def further_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """Table 3 with ours beside it, means over seeds."""
    runs = tables.runs[tables.runs["status"] == "done"]
    rows = []
    for name in (name for name in NAMES if name in set(runs["variant"])):
        own = runs[runs["variant"] == name]
        for i, metric in enumerate(METRICS):
            column = f"test_kept_{metric}"
            values = own[column].dropna().tolist() if column in own else []
            paper = TABLE_3[name][i] if name in TABLE_3 else float("nan")
            ours = round(estimate(values).value, 2) if values else float("nan")
            rows.append((name, metric, paper, ours, len(values)))
    return {"table_3": pd.DataFrame(rows, columns=["variant", "metric", "paper", "ours", "n"])}


def _attention(rows: pd.DataFrame, variants: list[str]) -> Figure:
    """A few test images by the mean colours of their places, as the first seed of one net looked at them."""
    name = "nah" if "nah" in variants else variants[0]
    rows = rows[rows["variant"] == name]
    rows = rows[rows["seed"] == rows["seed"].min()]
    samples = [own for _, own in rows.groupby("sample")][1 : 1 + IMAGES]
    fig = looks.panels(samples, [looks.mosaic(own) for own in samples])
    even = f"{1 / rows['place'].nunique():.2g}"
    note = f"{NAMES[name]}; images as the mean colours of their places; {looks.SCALE} (even: {even})"
    fig.supxlabel(note, x=0.99, ha="right", fontsize=6.5, color=QUIET)
    return fig
