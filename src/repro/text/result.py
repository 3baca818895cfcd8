"""What came of a finished run, in the lines that `repro train` ends with. Needs no pandas, for it is waited for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.storage.run_files import read_summary
from repro.storage.statistics import mean_in_words, number
from repro.storage.tables import as_float, finite, last_step
from repro.text import diagnosis
from repro.text.words import plain

RATIO = "vanishing_ratio"
MOST_SCORES = 7  # lines, so that all of them fit into 20 with the overview's
MOST_WRONG = 3
COLUMN = 37  # characters for a name: "test accuracy at best valid accuracy" and a space
# Components that are the rule; only others are worth a word in a headline.
_USUAL = {"normalization": "none", "backward": "exact", "schedule": "constant"}


def brief(folder: Path) -> str:
    """The end of a run on half a screen: settings, test metrics, cost, what is wrong in the layers.

    Args:
        folder: of a run with summary.json and layers.csv.

    Returns:
        18 lines or fewer, without a line end after the last.

    Raises:
        UserError: one of the files is missing or damaged.
    """
    summary = read_summary(folder)
    # What is at the end, and what it is to be held against, before what was better on the way.
    said = sorted(score_lines(summary), key=lambda one: " at best " in one)
    if len(said) > MOST_SCORES:
        said = [*said[: MOST_SCORES - 1], line("", f"and {len(said) - MOST_SCORES + 1} more: repro show {folder.name}")]
    wrong = _diagnosis(folder, summary)
    parts = [
        [headline(summary["settings"]), *diverged(summary)],
        said,
        [
            *_vanishing(summary),
            *cost(summary),
            line("folder", str(folder)),
            *([line("every layer", f"repro show {folder}")] if wrong else []),
        ],
        wrong,
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _vanishing(summary: Mapping[str, Any]) -> Iterable[str]:
    """The first hidden layer's gradient norm over the last's, where it was measured."""
    ends = ([own[k] for own in summary["metrics"].values() if k in own] for k in (f"first_{RATIO}", RATIO))
    first, last = ends
    if last:
        yield line("vanishing ratio", f"{mean(last)}, {mean(first)} at first")


def _diagnosis(folder: Path, summary: Mapping[str, Any]) -> list[str]:
    """The gravest of what is wrong at the end; that there is nothing, or that nobody looked."""
    lost = set(summary.get("diverged_at_step", {}))
    kept = lost if len(lost) < len(summary["seeds"]) else set()
    rows = last_step(folder / "layers.csv", ("seed", *diagnosis.Reading._fields))
    readings = [
        diagnosis.Reading(int(depth), layer, quantity, as_float(value))
        for seed, depth, layer, quantity, value in rows
        if seed not in kept
    ]
    if not any(one.depth > 0 for one in readings):
        return []
    found = diagnosis.found(readings)[:MOST_WRONG]
    if not found:
        looked = len(diagnosis.looked_for(readings))
        return (
            [line("what is wrong", f"nothing of {looked} things that were looked for in its layers")] if looked else []
        )
    return [line("what is wrong" if i == 0 else "", one.words) for i, one in enumerate(found)]


def score_lines(summary: Mapping[str, Any]) -> Iterable[str]:
    """The final metrics and how they come about, a line each."""
    yield from (line(name, value) for name, value in scores(summary))
    yield from (line(f"{name}, how", str(how)) for name, how in summary.get("methods", {}).items())
    yield from _evaluated(summary)
    yield from baselines(summary.get("baselines", {}))


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


def diverged(summary: Mapping[str, Any]) -> list[str]:
    """Which seeds diverged, and what that means, in a line; none where none did."""
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
    return [(plain(name), mean([own[name] for own in metrics.values() if name in own])) for name in shown]


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
    said += f", vanishing ratio {mean(ratios)}" if ratios else ""
    return f"{said}{'; ' + lost + ', the loss being no longer finite' if lost else ''}."


def baselines(scores: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    """What predicts without a net gets on the same samples, in lines."""
    for name, values in scores.items():
        shown = {k: v for k, v in values.items() if k.startswith("test_")} or values
        said = ", ".join(f"{plain(metric)} {number(float(value))}" for metric, value in shown.items() if finite(value))
        yield line(f"by {name}", said)


def _evaluated(summary: Mapping[str, Any]) -> list[str]:
    """On how many samples, where that is not all of them."""
    part, whole = summary.get("evaluated", {}), summary.get("samples", {})
    counts = [f"{n:,} of {whole[split]:,} {split}" for split, n in part.items() if whole.get(split)]
    return [line("evaluated on", f"{', '.join(counts)} samples (trainer.eval_samples)")] if counts else []


def line(name: str, value: str) -> str:
    """A name and what it is, in two columns."""
    return f"{name:<{COLUMN}} {value}"


def mean(values: Sequence[float]) -> str:
    """The value of one run, or mean ± interval (n) of several."""
    if len(values) == 1:
        return number(float(values[0])) if finite(values[0]) else "not finite"
    return mean_in_words(values)


def cost(summary: Mapping[str, Any]) -> Iterable[str]:
    """How long a run took."""
    epochs, rate = summary["epochs"], summary.get("steps_per_second")
    stopped = ", stopped early" if summary.get("stopped_early") else ""
    yield line("steps", f"{summary['steps']} ({epochs:.4g} epoch{'' if epochs == 1 else 's'}{stopped})")
    speed = f", {rate:.4g} steps/s" if rate else ""
    yield line("seconds", f"{summary['seconds']:.4g}{speed} on {summary['device']}")
