"""One finished run in numbers, as `repro show` prints it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from repro.diagnostics.quantities import REGISTRY
from repro.storage.run_files import read_summary
from repro.storage.tables import read
from repro.text import diagnosis, translations
from repro.text.result import MOST_WRONG, cost, diverged, headline, line, mean, score_lines
from repro.text.tables import table

# The headings of the layers' table, by the quantity in layers.csv.
HEADINGS = {q.column: q.heading for q in REGISTRY.values() if q.heading is not None}


def text(folder: Path) -> str:
    """Everything worth reading at the end of a run.

    Args:
        folder: of a run with summary.json and layers.csv.

    Returns:
        Lines without a line end after the last: the settings, which seeds diverged, test metrics, the layers
        at the last measurement, the vanishing ratio, the cost, the folder.

    Raises:
        UserError: one of the files is missing or damaged.
    """
    summary = read_summary(folder)
    layers = read(folder / "layers.csv")
    parts = [
        [headline(summary["settings"]), *diverged(summary)],
        [*score_lines(summary)],
        translations.lines(folder),
        _layers(layers, summary),
        _hessian(summary["metrics"]),
        [*_vanishing(layers, summary), *_wrong(layers, summary), *cost(summary), line("folder", str(folder))],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def layer_name(layer: str) -> str:
    """What a layer is called in tables and figures: as in layers.csv, without the list of layers that it stands in.

    Args:
        layer: dotted, for example hidden.3, or stack.layers.0.forget_gate, which is shown as 0.forget_gate.
    """
    return re.sub(r"^.*\blayers\.(?=\d)", "", layer)


def _hessian(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What was read off the spectrum of the loss's Hessian, at the end."""
    names = dict.fromkeys(name for own in metrics.values() for name in own if name.startswith("hessian_"))
    lines = []
    for name in names:
        kind = name.removeprefix("hessian_")
        if kind.startswith(("gamma_", "alpha_", "lambda_")) and not kind.endswith(("_low", "_high")):
            index = kind.replace("gamma_", "γ ").replace("alpha_", "α ").replace("lambda_", "λ ")
            lines.append(line(f"Hessian, {index}", mean([own[name] for own in metrics.values() if name in own])))
    return lines


def _wrong(layers: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    """The gravest of what is wrong in the layers at the end, with the rule it goes by; nothing where all is well."""
    found = diagnosis.findings(survivors(layers, summary).astype({"value": float}))[:MOST_WRONG]
    return [line("what is wrong" if i == 0 else "", f"{one.words} ({one.rule.says})") for i, one in enumerate(found)]


def survivors(rows: pd.DataFrame, summary: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of the seeds that did not diverge; of all seeds when every one did."""
    lost = [int(seed) for seed in summary.get("diverged_at_step", {})]
    return rows if len(lost) == len(summary["seeds"]) else rows[~rows["seed"].isin(lost)]


def _layers(layers: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    about, shown = layer_table(layers, summary)
    return [about] if shown is None else [about, table(shown, "text")]


def layer_table(layers: pd.DataFrame, summary: Mapping[str, Any]) -> tuple[str, pd.DataFrame | None]:
    """What the layers were like at the last measurement: a caption and the table; none where nothing was measured."""
    rows = survivors(layers[layers["quantity"].isin(HEADINGS)], summary)
    if rows.empty:
        return "no layer was measured (diagnostics=layers does)", None
    last = _last_step(rows)
    rows = rows[rows["step"] == last]
    means = rows.pivot_table(index=["depth", "layer"], columns="quantity", values="value", aggfunc="mean")
    means = means.rename(columns=HEADINGS).reindex(columns=[h for q, h in HEADINGS.items() if q in means.columns])
    shown = means.reset_index().drop(columns="depth")
    shown["layer"] = shown["layer"].map(layer_name)
    seeds = rows["seed"].nunique()
    of = f", mean of {seeds} seeds" if seeds > 1 else ""
    return f"layers at step {last}{of} (mean, std and shares are those of the activations)", shown


def _vanishing(layers: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    rows = survivors(layers[layers["quantity"] == "vanishing_ratio"], summary)
    if rows.empty:
        return []
    lines = []
    for step in dict.fromkeys((int(rows["step"].min()), _last_step(rows))):
        values = rows.loc[rows["step"] == step, "value"].tolist()
        lines.append(line(f"vanishing ratio, step {step}", mean(values)))
    in_time = layers["quantity"].str.startswith("gradient_through_time").any()
    what = (
        "gradient at the window's first step over that at its last"
        if in_time
        else ("the first hidden layer's gradient norm over the last's")
    )
    lines[0] += f"   ({what})"
    return lines


def _last_step(rows: pd.DataFrame) -> int:
    """The last step whose numbers are all finite: of a run that diverged, what was seen before."""
    finite_at = np.isfinite(rows["value"]).groupby(rows["step"]).all()
    return int(finite_at[finite_at].index.max() if finite_at.any() else rows["step"].max())
