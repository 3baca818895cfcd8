"""A page on which small nets are watched while they learn: every state of the tables in one file, for a lecture."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from repro.errors import UserError
from repro.html.render import page
from repro.storage.tables import read
from repro.study.experiment import Experiment

EDGE = 6.0  # the grid covers [-6, 6]²
UNIT = "activation"  # the variants differ in it
POINTS = "points"  # but for the one that has the training points
SHOWN = {"activation_std": "std", "saturated_share": "saturated", "dead_share": "dead", "gradient_norm": "gradient"}
TITLES = {
    UNIT: "Unit",
    "architecture.depth": "Hidden layers",
    "initialization": "First weights",
    "normalization": "Normalization",
    "backward": "Backward rule",
}
WORDS = {"esp": "ESP", "relu": "ReLU", "he": "He", "xavier": "Xavier", "normal": "small", "noisy_tanh": "noisy tanh"}


def playground_page(experiment: Experiment, folder: Path) -> str:
    """The page: choices, a slider through training, regions, layers, and the command behind each state.

    Args:
        experiment: whose nets are watched.
        folder: with its collected tables.

    Raises:
        UserError: there are no tables, or none of predictions.
    """
    if not (folder / "predictions.csv.gz").is_file():
        raise UserError(f"no tables of nets to watch in {folder}; make them with: repro reproduce {experiment.name}")
    data = states(experiment, folder)
    return page("playground.html", script="playground.js", data=Markup(_json(data)), choices=data["choices"])


def states(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Everything that the page shows, in plain lists: choices, points, and by the choices' words each net's states."""
    every = read(folder / "runs.csv").rename(columns={"variant": UNIT})
    runs = every[every[UNIT] != POINTS]
    axes = [UNIT, *(axis for axis in TITLES if axis in runs.columns and axis != UNIT)]
    runs = runs.assign(**{axis: [_word(value) for value in runs[axis]] for axis in axes})
    predictions = read(folder / "predictions.csv.gz")
    layers = read(folder / "layers.csv.gz").astype({"value": float})
    curves = read(folder / "curves.csv.gz")
    scores = curves[(curves["split"] == "test") & (curves["metric"] == "accuracy")]
    grids = predictions[predictions["split"] == "valid"]
    tables = {"said": grids, "layers": layers, "scores": scores}
    by_run = {name: {str(run): own for run, own in table.groupby("run")} for name, table in tables.items()}
    steps = sorted(int(step) for step in grids["step"].unique())
    nets = {}
    for row in runs.drop_duplicates("run")[["run", *axes]].itertuples(index=False):
        run, *words = map(str, row)
        if run in by_run["said"]:
            nets["|".join(words)] = _net(steps, by_run["said"][run], by_run["layers"][run], by_run["scores"][run])
    points = predictions[predictions["split"] == "train"]
    return {
        "experiment": experiment.name,
        "edge": EDGE,
        "steps": steps,
        "points": points[["input_0", "input_1", "target"]].round(2).to_numpy().tolist(),
        "choices": [_choice(axis, list(dict.fromkeys(runs[axis].astype(str)))) for axis in axes],
        "nets": nets,
    }


def _word(value: Any) -> str:
    """As on the command line: a column that lacks a number somewhere holds 2.0 for 2."""
    return "none" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _choice(axis: str, values: list[str]) -> dict[str, Any]:
    words = [(value, WORDS.get(value, value.replace("_", " "))) for value in values]
    return {"name": axis, "title": TITLES[axis], "values": words}


def _net(steps: list[int], said: pd.DataFrame, layers: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Any]:
    """A net's states by step: share of test points told rightly, the grid as bits, layers' quantities."""
    found: dict[str, Any] = {"accuracy": [], "regions": [], **{short: [] for short in SHOWN.values()}}
    for step in steps:
        grid, score = said[said["step"] == step].sort_values("sample"), scores[scores["step"] == step]["value"]
        if grid.empty or score.empty:
            break  # it diverged
        found["accuracy"].append(round(float(score.iloc[0]), 3))
        bits = np.packbits(grid["predicted"].to_numpy(dtype=np.uint8) > 0)
        found["regions"].append(base64.b64encode(bits.tobytes()).decode())
        own = layers[layers["step"] == step]
        for quantity, short in SHOWN.items():
            values = own[own["quantity"] == quantity].sort_values("depth")["value"]
            found[short].append([_short(value) for value in values])
    return found


def _short(value: float) -> float | None:
    """Three digits; None for what is no number."""
    return float(f"{value:.3g}") if math.isfinite(value) else None


def _json(data: Any) -> str:
    """JSON that may stand within a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
