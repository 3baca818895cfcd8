"""The end of a run in numbers, taken from its own tables."""

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from repro.config.groups import flatten
from repro.config.run import Run
from repro.datasets.protocol import Dataset
from repro.storage.metrics import KEPT, SPLITS, Metric, better
from repro.storage.tables import as_float, select
from repro.training.work import Work


def summarize(run: Run, folder: Path, work: Work, data: Dataset | None, device: str) -> dict[str, Any]:
    """Content of `summary.json`."""
    diverged = {work.seeds[i]: step for i, step in work.diverged.items()}
    statuses = {str(seed): "diverged" if seed in diverged else "done" for seed in run.seeds}
    series = _series(folder)
    about = getattr(data, "about", None)
    named = (
        {} if about is None else {"classes": [*about.classes], "notes": [*about.notes], "baselines": about.baselines()}
    )
    return named | {
        "run": run.id,
        "status": "diverged" if len(diverged) == len(run.seeds) else "done",
        "statuses": statuses,
        "diverged_at_step": {str(seed): step for seed, step in diverged.items()},
        "seeds": list(run.seeds),
        "steps": work.step,
        "epochs": work.step / work.per_epoch,
        "stopped_early": work.stopped,
        "seconds": round(work.seconds, 3),
        "steps_per_second": round(work.step / work.seconds, 3) if work.seconds else None,
        "device": device,
        "samples": data.sizes if data else {},
        **_evaluated(run, data),
        "parameters": work.parameters,
        "data": data.source if data else "",
        **({"methods": methods} if (methods := {m.name: m.method for m in work.metrics if m.method}) else {}),
        "metrics": {
            seed: metrics_of(series.get(seed, {}), work.metrics) if status == "done" else {}
            for seed, status in statuses.items()
        },
        "settings": {k: v for k, v in flatten(run.settings).items() if not k.startswith("reproduction")},
    }


def _evaluated(run: Run, data: Dataset | None) -> dict[str, Any]:
    """How many samples of each split the metrics are of, where that is not all of them."""
    most = run.trainer.eval_samples if run.settings["trainer"] else None
    if most is None or data is None:
        return {}
    return {"evaluated": {split: most if size is None else min(size, most) for split, size in data.sizes.items()}}


Series = Sequence[tuple[int, float]]
"""Step and value, in the order of the steps."""
RATIO = ("layers", "vanishing_ratio")


def _series(folder: Path) -> dict[str, dict[tuple[str, str], list[tuple[int, float]]]]:
    """By seed, the curves by split and metric, and the vanishing ratio."""
    found: dict[str, dict[tuple[str, str], list[tuple[int, float]]]] = {}
    for seed, step, split, metric, value in select(folder / "curves.csv", ("seed", "step", "split", "metric", "value")):
        found.setdefault(seed, {}).setdefault((split, metric), []).append((int(step), as_float(value)))
    for seed, step, quantity, value in select(folder / "layers.csv", ("seed", "step", "quantity", "value"), RATIO[1]):
        if quantity == RATIO[1]:
            found.setdefault(seed, {}).setdefault(RATIO, []).append((int(step), as_float(value)))
    return found


def metrics_of(series: Mapping[tuple[str, str], Series], declared: Sequence[Metric] = ()) -> dict[str, float]:
    """`<split>_<metric>` at the end, `best_<split>_<metric>`, test at the best valid, and the vanishing ratio.

    Args:
        series: of one seed, by split and metric, with the vanishing ratio under `RATIO`.
        declared: the task's metrics.
    """
    metrics: dict[str, float] = {}
    best_steps: dict[str, int] = {}
    for (split, metric), rows in sorted(series.items()):
        if (split, metric) == RATIO or metric == "learning_rate":
            continue
        name = f"{split}_{metric}"
        metrics[name] = rows[-1][1]
        way, known = better(metric, declared), [(step, value) for step, value in rows if not math.isnan(value)]
        # A setting over time, say, is neither better nor worse, and what the kept net comes to is there once.
        if split not in SPLITS or way is None or metric.startswith(KEPT) or not known:
            continue
        best_steps[name], metrics[f"best_{name}"] = (min if way == "lower" else max)(known, key=itemgetter(1))
    for name, best in best_steps.items():
        if name.startswith("valid_"):
            metric = name.removeprefix("valid_")
            at = [value for step, value in series.get(("test", metric), ()) if step == best]
            metrics |= {f"test_{metric}_at_best_valid": value for value in at}
    if ratios := series.get(RATIO):
        metrics["first_vanishing_ratio"], metrics["vanishing_ratio"] = ratios[0][1], ratios[-1][1]
    return metrics
