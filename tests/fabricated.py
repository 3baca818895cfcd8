"""Run folders and collected tables of made-up numbers, in the shape that training and collecting give them."""

import csv
import gzip
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repro.claims.verdicts import COLUMNS

CURVES = ("run", "seed", "step", "epoch", "split", "metric", "value")
LAYERS = ("run", "seed", "step", "epoch", "layer", "depth", "quantity", "value")
PER_EPOCH = 20
BINS = 30


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table, compressed when the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_claims(path: Path, *claims: Mapping[str, Any]) -> None:
    """claims.csv; each claim needs an id and says what is not as in `usual`."""
    usual = {"paper": "p", "experiment": "e", "says": "It is so.", "origin": "paper", "planned": "true", "metric": "m"}
    usual |= {"n": 5, "scale": "full", "direction": "yes", "verdict": "reproduced", "source": "Table 1"}
    full = [usual | {"statement": claim["claim"]} | dict(claim) for claim in claims]
    write_csv(path, COLUMNS, [[claim.get(name, "") for name in COLUMNS] for claim in full])


def run_folder(
    folder: Path,
    *,
    depth: int = 3,
    seeds: Sequence[int] = (0,),
    steps: Sequence[int] = (0, 5, 20, 40),
    metrics: Sequence[str] = ("loss", "accuracy"),
    measured: bool = True,
    diverged: Mapping[int, int] | None = None,
    names: Sequence[str] | None = None,
    zero_gradient: bool = False,
) -> Path:
    """A finished run of `depth` hidden layers; `diverged` maps a seed to the step at which it did."""
    diverged = dict(diverged or {})
    names = names or [f"hidden.{i}" for i in range(depth)]
    rng = np.random.default_rng(depth)
    curves: list[tuple[Any, ...]] = []
    layers: list[tuple[Any, ...]] = []
    for seed in seeds:
        end = diverged.get(seed, math.inf)
        for step in (s for s in steps if s < end and s % PER_EPOCH == 0):
            for metric in metrics:
                for split, shift in (("train", 0.0), ("valid", 0.05), ("test", 0.1)):
                    value = _metric(metric, step, shift) * rng.uniform(0.95, 1.05)
                    curves.append(("r1", seed, step, step / PER_EPOCH, split, metric, value))
            curves.append(("r1", seed, step, step / PER_EPOCH, "train", "learning_rate", 0.1))
        for step in (s for s in steps if s < end) if measured else ():
            sick = end < math.inf and step > 0
            layers += [
                ("r1", seed, step, step / PER_EPOCH, *row) for row in _layer_rows(names, rng, sick, zero_gradient)
            ]
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "curves.csv", CURVES, curves)
    write_csv(folder / "layers.csv", LAYERS, layers)
    (folder / "config.yaml").write_text("seed: 0\n")
    status = "diverged" if len(diverged) == len(seeds) else "done"
    last = max(diverged.values()) if status == "diverged" else max(steps)
    summary = {
        "run": "r1",
        "status": status,
        "seeds": list(seeds),
        "steps": last,
        "epochs": last / PER_EPOCH,
        "statuses": {str(s): "diverged" if s in diverged else "done" for s in seeds},
        "diverged_at_step": {str(s): step for s, step in diverged.items()},
        "seconds": 1.5,
        "steps_per_second": last / 1.5 if last else None,
        "device": "cpu",
        "metrics": {str(s): {} if s in diverged else _end(curves, s) for s in seeds},
        "settings": {
            "choices.dataset": "digits",
            "choices.architecture": "mlp",
            "choices.activation": "tanh",
            "choices.initialization": "xavier",
            "choices.optimizer": "sgd",
            "choices.normalization": "batch",
            "choices.backward": "exact",
            "architecture.depth": depth,
            "architecture.width": 100,
            "optimizer.lr": 0.05,
            "seed": seeds[0],
            "replicas": len(seeds),
        },
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "done.json").write_text(json.dumps({"status": status}))
    return folder


def _metric(metric: str, step: int, shift: float) -> float:
    return 2.3 * 0.8 ** (step / 2) + shift if metric == "loss" else 0.9 - 0.8 * 0.9**step - shift


def _end(curves: Sequence[tuple[Any, ...]], seed: int) -> dict[str, float]:
    """The last value of each split and metric."""
    return {f"{row[4]}_{row[5]}": row[6] for row in curves if row[1] == seed and row[5] != "learning_rate"}


def _layer_rows(
    names: Sequence[str], rng: np.random.Generator, sick: bool, zero_gradient: bool
) -> list[tuple[str, int, str, float]]:
    rows: list[tuple[str, int, str, float]] = []
    for depth, name in enumerate(names, 1):
        gradient = 0.0 if zero_gradient and depth < 3 else 0.3 ** (len(names) - depth) * rng.uniform(0.9, 1.1)
        values = {
            "activation_mean": 0.01,
            "activation_std": 0.5 + 0.01 * depth,
            "saturated_share": 0.25,
            "dead_share": 0.0,
            "gradient_norm": gradient,
            "weight_gradient_norm": 2 * gradient,
        }
        values |= histogram(rng.normal(0, 0.5, 200))
        rows += [(name, depth, q, math.nan if sick else value) for q, value in values.items()]
    if names:
        rows.append(("model", 0, "vanishing_ratio", math.nan if sick else 0.3 ** (len(names) - 1)))
    return [*rows, ("output", len(names) + 1, "weight_gradient_norm", 0.7)]


def histogram(values: np.ndarray) -> dict[str, float]:
    """The long form of a histogram between the values' own least and greatest."""
    counts, edges = np.histogram(values, BINS)
    shares = {f"histogram_share_{i:02d}": float(c / len(values)) for i, c in enumerate(counts)}
    return {"histogram_low": float(edges[0]), "histogram_high": float(edges[-1]), **shares}


def initialization_tables(folder: Path, *, seeds: int = 3, datasets: Sequence[str] = ("digits", "mnist")) -> Path:
    """Tables of the initialization study: five untrained variants, and eight trained ones a data set."""
    rng = np.random.default_rng(0)
    runs: list[tuple[Any, ...]] = []
    layers: list[tuple[Any, ...]] = []
    curves: list[tuple[Any, ...]] = []
    scales = {"tanh_small": 0.2, "tanh_large": 1.0, "tanh_xavier": 0.9, "relu_xavier": 0.7, "relu_he": 1.0}
    for variant, decay in scales.items():
        for seed in range(seeds):
            runs.append((variant, variant, seed, "done", "full", 0.1))
            for depth in range(1, 11):
                std = decay**depth
                values = rng.normal(0, std, 300)
                out = np.tanh(values) if variant.startswith("tanh") else np.maximum(values, 0)
                found = {
                    "activation_mean": float(out.mean()),
                    "activation_std": float(out.std()),
                    "saturated_share": 0.1,
                    "gradient_norm": decay ** (10 - depth),
                    **histogram(out),
                }
                layers += [(variant, variant, seed, 0, 0.0, f"hidden.{depth - 1}", depth, *q) for q in found.items()]
    for dataset in datasets:
        for name in (f"{dataset}_{a}_{i}" for a in ("tanh", "relu") for i in ("small", "large", "xavier", "he")):
            lost = name.endswith("relu_large")
            for seed in range(seeds):
                end = "" if lost else 0.9 + 0.01 * seed
                runs.append((name, name, seed, "diverged" if lost else "done", "full", end))
                for epoch in range(1 if lost else 4):
                    curves.append((name, name, seed, epoch * 10, epoch, "test", "accuracy", 0.1 + 0.2 * epoch))
    head = ("run", "variant", "seed", "status", "scale", "test_accuracy")
    write_csv(folder / "runs.csv", head, runs)
    write_csv(folder / "curves.csv.gz", ("run", "variant", *CURVES[1:]), curves)
    write_csv(folder / "layers.csv.gz", ("run", "variant", *LAYERS[1:]), layers)
    return folder


def depth_tables(folder: Path, *, seeds: int = 3) -> Path:
    """The runs of the depth study: some vanish, some to exactly 0, some diverge in one seed or in all."""
    rng = np.random.default_rng(0)
    rows = []
    slopes = {
        "sigmoid": 0.25,
        "tanh": 0.93,
        "relu": 0.7,
        "hard_tanh": 0.95,
        "noisy_tanh_nan": 1.0,
        "noisy_tanh_nah": 1.3,
        "esp": 0.48,
    }
    for variant, slope in slopes.items():
        for depth in (2, 5, 10, 20, 30):
            for seed in range(seeds):
                lost = variant == "noisy_tanh_nah" and (depth == 30 or (depth == 20 and seed == 1))
                first = 0.0 if variant == "sigmoid" and depth == 30 else slope**depth * rng.uniform(0.9, 1.1)
                numbers = ("", "", "") if lost else (0.9, first, slope**depth)
                rows.append((variant, variant, seed, "diverged" if lost else "done", "full", depth, *numbers))
    head = (
        "run",
        "variant",
        "seed",
        "status",
        "scale",
        "architecture.depth",
        "test_accuracy",
        "first_vanishing_ratio",
        "vanishing_ratio",
    )
    write_csv(folder / "runs.csv", head, rows)
    return folder
