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
    runs = read(folder / "runs.csv").rename(columns={"variant": UNIT})
    axes = [UNIT, *(axis for axis in TITLES if axis in runs.columns and axis != UNIT)]
    runs = runs.assign(**{axis: runs[axis].astype(object).where(runs[axis].notna(), "none") for axis in axes})
    predictions = read(folder / "predictions.csv.gz")
    layers = read(folder / "layers.csv.gz").astype({"value": float})
    by_run = {name: dict(list(table.groupby("run"))) for name, table in (("said", predictions), ("layers", layers))}
    steps = sorted(int(step) for step in predictions["step"].unique())
    nets = {}
    for row in runs.drop_duplicates("run")[["run", *axes]].itertuples(index=False):
        run, *words = map(str, row)
        if run in by_run["said"]:
            nets["|".join(words)] = _net(by_run["said"][run], by_run["layers"].get(run), steps)
    first = predictions[(predictions["run"] == predictions["run"].iloc[0]) & (predictions["split"] == "train")]
    first = first[first["step"] == first["step"].min()]
    return {
        "experiment": experiment.name,
        "edge": EDGE,
        "steps": steps,
        "points": first[["input_0", "input_1", "target"]].round(2).to_numpy().tolist(),
        "choices": [_choice(axis, list(dict.fromkeys(runs[axis].astype(str)))) for axis in axes],
        "nets": nets,
    }


def _choice(axis: str, values: list[str]) -> dict[str, Any]:
    words = [(value, WORDS.get(value, value.replace("_", " "))) for value in values]
    return {"name": axis, "title": TITLES[axis], "values": words}


def _net(said: pd.DataFrame, layers: pd.DataFrame | None, steps: list[int]) -> dict[str, Any]:
    """A net's states by step: share of training points told rightly, the grid as bits, layers' quantities."""
    found: dict[str, Any] = {"accuracy": [], "regions": [], **{short: [] for short in SHOWN.values()}}
    for step in steps:
        now = said[said["step"] == step]
        train, grid = now[now["split"] == "train"], now[now["split"] == "valid"].sort_values("sample")
        if grid.empty:
            break  # it diverged
        found["accuracy"].append(round(float((train["target"] == train["predicted"]).mean()), 3))
        bits = np.packbits(grid["predicted"].to_numpy(dtype=np.uint8) > 0)
        found["regions"].append(base64.b64encode(bits.tobytes()).decode())
        own = layers[layers["step"] == step] if layers is not None else None
        for quantity, short in SHOWN.items():
            values = [] if own is None else own[own["quantity"] == quantity].sort_values("depth")["value"].tolist()
            found[short].append([_short(value) for value in values])
    return found


def _short(value: float) -> float | None:
    """Three digits; None for what is no number."""
    return float(f"{value:.3g}") if math.isfinite(value) else None


def _json(data: Any) -> str:
    """JSON that may stand within a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
