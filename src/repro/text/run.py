"""One finished run in numbers, as `repro train` and `repro show` print it."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from repro.diagnostics.quantities import REGISTRY
from repro.storage.run_files import read_summary
from repro.storage.statistics import estimate, number, with_interval
from repro.storage.tables import finite, read
from repro.text import diagnosis, translations
from repro.text.tables import table
from repro.text.words import plain

# The headings of the layers' table, by the quantity in layers.csv.
HEADINGS = {q.column: q.heading for q in REGISTRY.values() if q.heading is not None}
# Components that are the rule; only others are worth a word in a headline.
MOST_WRONG = 3
_USUAL = {"normalization": "none", "backward": "exact", "schedule": "constant"}


def text(folder: Path) -> str:
    """Everything worth reading at the end of a run.

    Args:
        folder: of a run with summary.json, curves.csv and layers.csv.

    Returns:
        Lines without a line end after the last: the settings, which seeds diverged, test metrics, the layers
        at the last measurement, the vanishing ratio, the cost, the folder.

    Raises:
        UserError: one of the files is missing or damaged.
    """
    summary = read_summary(folder)
    layers = read(folder / "layers.csv")
    parts = [
        [headline(summary["settings"]), *_diverged(summary)],
        [
            *(_line(name, value) for name, value in scores(summary)),
            *(_line(f"{name}, how", str(how)) for name, how in summary.get("methods", {}).items()),
            *_evaluated(summary),
            *baselines(summary.get("baselines", {})),
        ],
        translations.lines(folder),
        _layers(layers, summary),
        _hessian(summary["metrics"]),
        [*_vanishing(layers, summary), *_wrong(layers, summary), *_cost(summary), _line("folder", str(folder))],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def headline(settings: Mapping[str, Any]) -> str:
    """A run's settings in one line of words, for example "digits · mlp 5 × 100 · tanh · xavier · sgd, lr 0.05".

    Args:
        settings: by dotted name, as in summary.json.
    """
    chosen = {name.removeprefix("choices."): v for name, v in settings.items() if name.startswith("choices.")}
    procedure = str(chosen.get("procedure", "train"))
    parts = [procedure if procedure != "train" else "", data_name(settings)]
    size = [settings.get(f"architecture.{name}") for name in ("depth", "width")]
    net = str(chosen.get("architecture", ""))
    parts.append(f"{net} {size[0]} × {size[1]}" if None not in size else net)
    activation = str(chosen.get("activation", ""))
    noise = settings.get("activation.noise")
    parts.append(f"{activation} ({noise.upper()})" if noise is not None else activation)
    initialization = str(chosen.get("initialization", ""))
    std = settings.get("initialization.std")
    parts.append(f"{initialization}, std {std:g}" if finite(std) else initialization)
    parts += [_component(group, chosen[group]) for group in _USUAL if chosen.get(group) not in (None, _USUAL[group])]
    rate = settings.get("optimizer.lr")
    optimizer = str(chosen.get("optimizer", ""))
    parts.append(f"{optimizer}, lr {rate:g}" if finite(rate) else optimizer)
    seed, replicas = settings.get("seed"), settings.get("replicas", 1)
    if seed is not None:
        parts.append(f"seed {seed}" if replicas == 1 else f"{replicas} seeds from {seed}")
    return " · ".join(part for part in parts if part)


def data_name(settings: Mapping[str, Any]) -> str:
    """What a run's data are called: the data set's name, and of a file of one's own the file's as well.

    Args:
        settings: by dotted name, as in summary.json.
    """
    option = str(settings.get("choices.dataset", ""))
    own = settings.get("dataset.name") or Path(str(settings.get("dataset.path") or "")).name
    return f"{option} {own}" if own and own != option else option


def layer_name(layer: str) -> str:
    """What a layer is called in tables and figures: as in layers.csv, without the list of layers that it stands in.

    Args:
        layer: dotted, for example hidden.3, or stack.layers.0.forget_gate, which is shown as 0.forget_gate.
    """
    return re.sub(r"^.*\blayers\.(?=\d)", "", layer)


def _component(group: str, option: Any) -> str:
    noun = {"normalization": "norm", "backward": "backprop"}.get(group, group)
    return f"{option} {noun}"


def divergence(summary: Mapping[str, Any]) -> str:
    """Which seeds diverged, and when, in one sentence; empty when none did."""
    lost = {int(seed): step for seed, step in summary.get("diverged_at_step", {}).items()}
    seeds = summary["seeds"]
    if not lost:
        return ""
    if len(lost) == len(seeds):
        steps = sorted(set(lost.values()))
        when = str(steps[0]) if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
        return f"{'' if len(seeds) == 1 else f'all {len(seeds)} seeds '}diverged at step {when}"
    places = ", ".join(f"seed {seed} at step {step}" for seed, step in sorted(lost.items()))
    return f"{len(lost)} of {len(seeds)} seeds diverged ({places})"


def _diverged(summary: Mapping[str, Any]) -> list[str]:
    ending = divergence(summary)
    if not ending:
        return []
    partial = len(summary.get("diverged_at_step", {})) < len(summary["seeds"])
    reason = "their loss was no longer finite" if len(summary["seeds"]) > 1 else "the loss was no longer finite"
    return [f"{ending}: {reason}{'; left out of all means below' if partial else ''}"]


def scores(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The final test metrics, else the validation's, else all: the value, or mean ± interval (n) of several."""
    metrics = summary["metrics"]
    names = dict.fromkeys(name for own in metrics.values() for name in own)
    shown = next((s for p in ("test_", "valid_", "") if (s := [n for n in names if n.startswith(p)])), [])
    return [(plain(name), _mean([own[name] for own in metrics.values() if name in own])) for name in shown]


def finding(summary: Mapping[str, Any]) -> str:
    """What came of a run, in one sentence: its accuracy or first score, after how long, and the vanishing ratio."""
    lost = divergence(summary)
    length = f"{summary['steps']:,} steps ({summary['epochs']:.4g} epoch{'' if summary['epochs'] == 1 else 's'})"
    if lost and len(summary["diverged_at_step"]) == len(summary["seeds"]):
        return f"{lost[:1].upper()}{lost[1:]}: the loss was no longer finite."
    found = scores(summary)
    name, value = next(((n, v) for n, v in found if "accuracy" in n), found[0] if found else ("", ""))
    said = f"{name[:1].upper()}{name[1:]} {value} after {length}" if found else f"{length} and no metric at the end"
    ratios = [own["vanishing_ratio"] for own in summary["metrics"].values() if "vanishing_ratio" in own]
    said += f", vanishing ratio {_mean(ratios)}" if ratios else ""
    return f"{said}{'; ' + lost + ', the loss being no longer finite' if lost else ''}."


def baselines(scores: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    """What predicts without a net gets on the same samples, in lines."""
    for name, values in scores.items():
        shown = {k: v for k, v in values.items() if k.startswith("test_")} or values
        said = ", ".join(f"{plain(metric)} {number(float(value))}" for metric, value in shown.items() if finite(value))
        yield _line(f"by {name}", said)


def _evaluated(summary: Mapping[str, Any]) -> list[str]:
    """On how many samples, where that is not all of them."""
    part, whole = summary.get("evaluated", {}), summary.get("samples", {})
    counts = [f"{n:,} of {whole[split]:,} {split}" for split, n in part.items() if whole.get(split)]
    return [_line("evaluated on", f"{', '.join(counts)} samples (trainer.eval_samples)")] if counts else []


def _hessian(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What was read off the spectrum of the loss's Hessian, at the end."""
    names = dict.fromkeys(name for own in metrics.values() for name in own if name.startswith("hessian_"))
    lines = []
    for name in names:
        kind = name.removeprefix("hessian_")
        if kind.startswith(("gamma_", "alpha_", "lambda_")) and not kind.endswith(("_low", "_high")):
            index = kind.replace("gamma_", "γ ").replace("alpha_", "α ").replace("lambda_", "λ ")
            lines.append(_line(f"Hessian, {index}", _mean([own[name] for own in metrics.values() if name in own])))
    return lines


def _wrong(layers: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    """The gravest of what is wrong in the layers at the end, with the rule it goes by; nothing where all is well."""
    found = diagnosis.findings(survivors(layers, summary).astype({"value": float}))[:MOST_WRONG]
    return [_line("what is wrong" if i == 0 else "", f"{one.words} ({one.rule.says})") for i, one in enumerate(found)]


def _line(name: str, value: str) -> str:
    return f"{name:<28} {value}"


def _mean(values: Sequence[float]) -> str:
    """The value of one run, or mean ± interval (n) of several."""
    numbers = [float(value) for value in values if finite(value)]
    if len(values) == 1:
        return number(numbers[0]) if numbers else "not finite"
    if not numbers:
        return with_interval(math.nan, None, 0)
    mean = estimate(numbers)
    return with_interval(mean.value, mean.interval, mean.n)


def survivors(rows: pd.DataFrame, summary: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of the seeds that did not diverge; of all seeds when every one did."""
    lost = [int(seed) for seed in summary.get("diverged_at_step", {})]
    return rows if len(lost) == len(summary["seeds"]) else rows[~rows["seed"].isin(lost)]


def _layers(layers: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    about, shown = layer_table(layers, summary)
    return [about] if shown is None else [about, table(shown, "text")]


def layer_table(layers: pd.DataFrame, summary: Mapping[str, Any]) -> tuple[str, pd.DataFrame | None]:
    """What the layers were like at the last measurement: a caption and the table; none where nothing was measured."""
    known = HEADINGS
    rows = survivors(layers[layers["quantity"].isin(known)], summary)
    if rows.empty:
        return "no layer was measured (diagnostics=layers does)", None
    last = _last_step(rows)
    rows = rows[rows["step"] == last]
    means = rows.pivot_table(index=["depth", "layer"], columns="quantity", values="value", aggfunc="mean")
    means = means.rename(columns=known).reindex(columns=[h for q, h in known.items() if q in means.columns])
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
        lines.append(_line(f"vanishing ratio, step {step}", _mean(values)))
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


def _cost(summary: Mapping[str, Any]) -> Iterable[str]:
    epochs, rate = summary["epochs"], summary.get("steps_per_second")
    stopped = ", stopped early" if summary.get("stopped_early") else ""
    yield _line("steps", f"{summary['steps']} ({epochs:.4g} epoch{'' if epochs == 1 else 's'}{stopped})")
    speed = f", {rate:.4g} steps/s" if rate else ""
    yield _line("seconds", f"{summary['seconds']:.4g}{speed} on {summary['device']}")
