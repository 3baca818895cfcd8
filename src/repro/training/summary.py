"""The end of a run in numbers, taken from its own tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from repro.config.groups import flatten
from repro.config.run import Run
from repro.datasets.protocol import Dataset
from repro.storage.metrics import KEPT, SPLITS, Metric, better
from repro.storage.tables import read
from repro.training.work import Work


def summarize(run: Run, folder: Path, work: Work, data: Dataset | None, device: str) -> dict[str, Any]:
    """Content of `summary.json`."""
    diverged = {work.seeds[i]: step for i, step in work.diverged.items()}
    statuses = {str(seed): "diverged" if seed in diverged else "done" for seed in run.seeds}
    curves, layers = read(folder / "curves.csv"), read(folder / "layers.csv")
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
            seed: metrics_of(curves, layers, int(seed), work.metrics) if status == "done" else {}
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


def metrics_of(
    curves: pd.DataFrame, layers: pd.DataFrame, seed: int, declared: Sequence[Metric] = ()
) -> dict[str, float]:
    """`<split>_<metric>` at the end, `best_<split>_<metric>`, test at the best valid, and the vanishing ratio."""
    own = curves[(curves["seed"] == seed) & (curves["metric"] != "learning_rate")]
    metrics: dict[str, float] = {}
    best_steps: dict[str, Any] = {}
    for (split, metric), rows in own.groupby(["split", "metric"], sort=True):
        name, values = f"{split}_{metric}", rows.set_index("step")["value"]
        metrics[name] = float(values.iloc[-1])
        way = better(str(metric), declared)
        # A setting over time, say, is neither better nor worse, and what the kept net comes to is there once.
        if split not in SPLITS or way is None or str(metric).startswith(KEPT):
            continue
        lower = way == "lower"
        metrics[f"best_{name}"] = float(values.min() if lower else values.max())
        best_steps[name] = values.idxmin() if lower else values.idxmax()
    for name, step in best_steps.items():
        if name.startswith("valid_"):
            metric = name.removeprefix("valid_")
            at = own[(own["split"] == "test") & (own["metric"] == metric) & (own["step"] == step)]["value"]
            metrics |= {f"test_{metric}_at_best_valid": float(value) for value in at}
    ratios = layers[(layers["seed"] == seed) & (layers["quantity"] == "vanishing_ratio")]["value"]
    if len(ratios):
        metrics["first_vanishing_ratio"], metrics["vanishing_ratio"] = (float(ratios.iloc[0]), float(ratios.iloc[-1]))
    return metrics
