"""Figures of Hessian spectra over training, for the studies of mean-field activations. Reads tables only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from repro.plots import blocks, legends, scales
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, QUIET, TEXT, VERMILLION, activation_look, explain, figure
from repro.storage.metrics import ANY, SHARE
from repro.text.run import layer_name

from .subspaces import TOGETHER, decomposition, subspaces, weights

NAMES = {"relu": "ReLU", "esp": "ESP", "sigmoid": "sigmoid", "tanh": "tanh"}
UNITS = {unit: (name, activation_look(unit).color) for unit, name in NAMES.items()}
# Heading, index, and the authors' column.
END_POINTS = (
    ("loss", "loss", "loss"),
    ("accuracy", "accuracy", "train_accuracy"),
    ("α", "alpha_1e-8", "alpha_1e-8"),
    ("γ", "gamma_structural", "gamma_structural"),
    ("γ at 1e-4", "gamma_1e-4", "gamma_1e-4"),
    ("zero residuals", "zero_residuals", "zero_residuals"),
    ("λ max", "lambda_max", "lambda_max"),
)
FAILED = 0.6  # training loss, hardly below that of a coin
NO_SPECTRUM = pd.DataFrame(columns=["run", "seed", "quantity", "index", "value", "epoch"])
LEAST = 1e-12  # eigenvalues are drawn on a linear scale below
RING: dict[str, Any] = {"zorder": 3, "markeredgewidth": 0.6}


@dataclass(frozen=True)
class Study:
    """The runs of one data set, by net and activation.

    Attributes:
        curves: of the Hessian's indices, columns net, unit, run, seed, step, epoch, metric, value.
        spectrum: single eigenvalues, likewise with quantity and index.
        layers: as they are collected, with net and unit.
        authors: the paper's own numbers, columns net, activation, epoch and one an index.
        nets: names of nets in variants' names, and what they are in words.
    """

    curves: pd.DataFrame
    spectrum: pd.DataFrame
    layers: pd.DataFrame
    authors: pd.DataFrame
    nets: dict[str, str]


def study(tables: Tables, runs: pd.DataFrame, nets: dict[str, str], authors: pd.DataFrame) -> Study:
    """The tables' rows of some runs.

    Args:
        tables: the experiment's.
        runs: columns run, net, unit.
        nets: as in `Study`.
        authors: likewise, with a column net.
    """
    names = runs.drop_duplicates("run").set_index("run")

    def named(table: pd.DataFrame) -> pd.DataFrame:
        own = table[table["run"].isin(names.index)]
        return own.assign(net=own["run"].map(names["net"]), unit=own["run"].map(names["unit"]))

    curves, layers = named(tables.curves), named(tables.layers)
    spectrum = named(tables.spectrum) if (tables.folder / "spectrum.csv.gz").exists() else named(NO_SPECTRUM)
    return Study(curves[curves["split"] == "hessian"], spectrum, layers, authors, nets)


def of_points(tables: Tables, nets: dict[str, str], authors: Path, kind: str) -> Study:
    """The study of points of a kind: the runs on the authors' own where there are any, else on generated ones."""
    runs = tables.runs
    chosen = runs[runs["dataset.points"] == "authors"]
    runs = chosen if len(chosen) else runs
    known = pd.read_csv(authors)
    known = known[known["task"] == kind].assign(net=lambda t: t["hidden"].str.replace("-", "_"))
    return study(tables, by_name(runs, nets), nets, known)


def by_name(runs: pd.DataFrame, nets: dict[str, str]) -> pd.DataFrame:
    """Runs with net and unit, taken from variants called `<unit>_<net>`."""
    net = {v: next(name for name in nets if v.endswith(f"_{name}")) for v in runs["variant"].unique()}
    nets_of = runs["variant"].map(net)
    unit = [variant.removesuffix(f"_{own}") for variant, own in zip(runs["variant"], nets_of, strict=True)]
    return runs.assign(net=nets_of, unit=unit)


def panels(found: Study, height: float = 2.6) -> tuple[Figure, list[Axes]]:
    """A figure with a panel a net."""
    fig = figure(TEXT, height)
    axes = list(fig.subplots(1, len(found.nets), squeeze=False)[0])
    for ax, words in zip(axes, found.nets.values(), strict=True):
        ax.set_title(words)
    return fig, axes


def over_training(found: Study, metric: str, label: str, authors: str | None = None) -> Figure:
    """An index by epoch: each seed thin and their median thick, and the authors' one run, dashed; one range."""
    fig, axes = panels(found, 2.9)
    drawn: list[float] = []
    for ax, net in zip(axes, found.nets, strict=True):
        own = found.curves[(found.curves["net"] == net) & (found.curves["metric"] == metric)]
        for unit, (name, color) in UNITS.items():
            rows = own[own["unit"] == unit]
            if len(rows):
                # Seeds of one net fail and learn: a band from the least to the greatest would hide that.
                blocks.seeds(ax, rows, "epoch", color=color)
                middle = rows.groupby("epoch")["value"].median()
                ax.plot(middle.index.to_numpy(), middle.to_numpy(), color=color, label=name)
                drawn += rows["value"].tolist()
            theirs = _theirs(found.authors, net, unit)
            if authors and len(theirs):
                drawn += theirs[authors].tolist()
                ax.plot(theirs["epoch"], theirs[authors], color=color, linestyle="--", linewidth=1)
        ax.set(xlabel="epoch")
    scales.one_range(axes, drawn, ANY if metric == "loss" else SHARE, whole=False)
    axes[0].set_ylabel(label)
    _legend(fig, axes)
    _note(fig, found, "thin: seeds; thick: their median", "dashed: the authors' one run" if authors else "")
    return fig


def against_energy(found: Study, metric: str, label: str, authors: str) -> Figure:
    """An index against the training loss at the same step, a panel a net and activation, all of one range.

    A point a seed and step; rings are the authors' one run.
    """
    own = found.curves[found.curves["unit"].isin(UNITS) & found.curves["metric"].isin(("loss", metric))]
    wide = own.pivot_table(index=["net", "unit", "seed", "step"], columns="metric", values="value", observed=True)
    wide = wide.reset_index()
    units = [unit for unit in UNITS if (own["unit"] == unit).any()]
    fig = figure(TEXT, 0.8 + 1.5 * len(found.nets))
    grid = fig.subplots(len(found.nets), max(1, len(units)), sharex=True, sharey=True, squeeze=False)
    losses = wide["loss"].tolist() if len(wide) else []
    for axes, (net, words) in zip(grid, found.nets.items(), strict=True):
        for ax, unit in zip(axes, units, strict=False):
            color = UNITS[unit][1]
            rows = wide[(wide["net"] == net) & (wide["unit"] == unit)]
            dots = {"markersize": 2.2, "alpha": 0.25, "markeredgewidth": 0, "rasterized": True}
            ax.plot(rows["loss"], rows[metric], "o", color=color, **dots)
            theirs = _theirs(found.authors, net, unit)
            ax.plot(theirs["loss"], theirs[authors], "o", markersize=3.2, color=INK, fillstyle="none", **RING)
            losses += theirs["loss"].tolist()
        axes[0].set_ylabel(words)
    for column, unit in zip(grid.T, units, strict=False):
        column[0].set_title(UNITS[unit][0])
        column[-1].set_xlabel("training loss")
    scales.log_axis(grid[0, 0].xaxis, losses, most=3)
    grid[0, 0].set_ylim(-0.04, 1.04)
    fig.supylabel(label, fontsize=8.5, color=INK)
    _note(fig, found, "a dot a seed and sampled epoch; rings: the authors' one run; one range for all panels")
    return fig


def spectra_over_training(found: Study, net: str) -> Figure:
    """Every eigenvalue of one seed's Hessian by epoch; small multiples in place of a film."""
    units = [unit for unit in UNITS if ((found.spectrum["net"] == net) & (found.spectrum["unit"] == unit)).any()]
    fig = figure(TEXT, 2.5)
    axes = fig.subplots(1, max(1, len(units)), sharey=True, squeeze=False)[0]
    for ax, unit in zip(axes, units, strict=False):
        rows = found.spectrum[(found.spectrum["net"] == net) & (found.spectrum["unit"] == unit)]
        rows = rows[(rows["quantity"] == "eigenvalue") & (rows["seed"] == best_seed(found, net, unit))]
        ax.plot(rows["epoch"], rows["value"], ".", markersize=1.6, color=UNITS[unit][1], rasterized=True)
        ax.set_yscale("symlog", linthresh=LEAST, linscale=0.6)
        ax.set(title=UNITS[unit][0], xlabel="epoch")
        ax.set_yticks([-1, -1e-4, -1e-8, 0, 1e-8, 1e-4, 1])
        ax.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
    axes[0].set_ylabel("eigenvalues")
    note = f"net {found.nets[net]}, {_which(found)}; linear between ±{LEAST:g}, which is rounding"
    explain(fig, note)
    return fig


def eigenvectors(found: Study, net: str) -> Figure:
    """Where the eigenvectors after training live, of each activation, and of a ReLU net that learnt nothing."""
    written = set(found.spectrum["unit"])
    pictures = [(unit, best_seed(found, net, unit), UNITS[unit][0]) for unit in UNITS if unit in written]
    ends = _end_losses(found, net, "relu")
    failed = ends[ends > FAILED].index
    if len(failed) and (failed[0] != best_seed(found, net, "relu")):
        pictures.insert(0, ("relu", failed[0], "ReLU, failed"))
    fig = figure(TEXT, 2.4)
    axes = fig.subplots(1, max(1, len(pictures)), squeeze=False)[0]
    shown = None
    for ax, (unit, seed, title) in zip(axes, pictures, strict=False):
        rows = found.spectrum[(found.spectrum["net"] == net) & (found.spectrum["unit"] == unit)]
        rows = rows[rows["seed"] == seed]
        values, vectors = decomposition(rows[rows["step"] == rows["step"].max()])
        if not len(values):
            continue
        groups = subspaces(values)
        shown = ax.imshow(
            np.sqrt(weights(vectors, groups)), vmin=0, vmax=1, cmap="cividis", interpolation="nearest", aspect="equal"
        )
        alone = int((np.bincount(groups) == 1).sum())
        ax.set(title=f"{title}\n{alone} of {len(values)}", xlabel="eigenvalue")
        ax.grid(visible=False)
    axes[0].set_ylabel("parameter")
    if shown is not None:
        fig.colorbar(shown, ax=list(axes), label="√ weight", shrink=0.8)
    explain(
        fig,
        f"net {found.nets[net]}, {_which(found)}",
        f"weight: squared component; eigenvalues within {TOGETHER:g} of the largest have no directions of their own: "
        "their columns show the mean over their subspace (its projector's diagonal); numbers: eigenvalues apart",
    )
    return fig


def _which(found: Study) -> str:
    written = found.spectrum["seed"].nunique()
    return f"of the first {written} seeds the one with the lowest loss" if written > 1 else "seed 0"


def best_seed(found: Study, net: str, unit: str) -> int:
    """Of the seeds whose eigenvalues are written, the one that ends with the lowest loss."""
    ends = _end_losses(found, net, unit)
    return int(str(ends.idxmin())) if len(ends) else 0


def _end_losses(found: Study, net: str, unit: str) -> "pd.Series[float]":
    """The last loss by seed, of the seeds whose eigenvalues are written."""
    single = found.spectrum[(found.spectrum["net"] == net) & (found.spectrum["unit"] == unit)]
    rows = _index(found, net, unit, "loss")
    rows = rows[(rows["step"] == rows["step"].max()) & rows["seed"].isin(single["seed"].unique())]
    losses: pd.Series[float] = rows.set_index("seed")["value"]
    return losses


def _index(found: Study, net: str, unit: str, metric: str) -> pd.DataFrame:
    rows = found.curves[(found.curves["net"] == net) & (found.curves["unit"] == unit)]
    return rows[rows["metric"] == metric]


def betas(found: Study) -> Figure:
    """How the βs of each layer are spread over training: median over the seeds of least, mean and greatest."""
    fig, axes = panels(found, 2.9)
    drawn: list[float] = []
    for ax, net in zip(axes, found.nets, strict=True):
        own = found.layers[(found.layers["net"] == net) & (found.layers["unit"] == "esp")]
        for layer, rows in own.groupby("layer", observed=True):
            color = {"hidden.0": BLUE, "hidden.1": VERMILLION}.get(str(layer), GREEN)
            middle = {
                q: rows[rows["quantity"] == f"beta_{q}"].groupby("epoch")["value"].median()
                for q in ("min", "mean", "max")
            }
            ax.plot(middle["mean"].index, middle["mean"], color=color, label=layer_name(str(layer)))
            ax.fill_between(middle["min"].index, middle["min"], middle["max"], color=color, alpha=0.18, linewidth=0)
            drawn += [*middle["min"], *middle["max"]]
        ax.axhline(0, color=QUIET, linewidth=0.5, zorder=0)
        ax.set(xlabel="epoch")
    scales.one_range(axes, drawn)
    axes[0].set_ylabel("β")
    _legend(fig, axes)
    _note(fig, found, "ESP; colours: layers; lines: mean β, bands: least to greatest; medians over the seeds")
    return fig


def activations() -> Figure:
    """The units and their slopes at β = 1, as the paper's first figure has them."""
    h = np.linspace(-10, 10, 401)
    gate = 1 / (1 + np.exp(-h))
    shapes = {
        "ESP": (h * gate, gate * (1 + h * (1 - gate)), UNITS["esp"][1]),
        "sigmoid": (gate, gate * (1 - gate), UNITS["sigmoid"][1]),
        "ReLU": (h.clip(0), (h > 0) * 1.0, UNITS["relu"][1]),
    }
    fig = figure(TEXT, 2.4)
    left, right = fig.subplots(1, 2)
    for name, (value, slope, color) in shapes.items():
        left.plot(h, value, color=color, label=name)
        right.plot(h, slope, color=color)
    left.set(xlabel="h", ylabel="activation", ylim=(-1, 4))  # as the paper's
    blocks.say_clipped(left)
    right.set(xlabel="h", ylabel="slope", ylim=(-0.2, 1.2))
    legends.outside(fig, [left], loc="outside upper left", ncols=3)
    return fig


def all_figures(found: Study) -> dict[str, Figure]:
    """The paper's figures; spectra and eigenvectors of the last net."""
    last = list(found.nets)[-1]
    return {
        "loss": over_training(found, "loss", "training loss", "loss"),
        "alpha_against_loss": against_energy(found, "alpha_1e-8", "α, share of negative eigenvalues", "alpha_1e-8"),
        "gamma_against_loss": against_energy(
            found, "gamma_structural", "γ, share of flat directions", "gamma_structural"
        ),
        "zero_residuals": over_training(found, "zero_residuals", "share of zero residuals", "zero_residuals"),
        **{f"spectrum_{net}": spectra_over_training(found, net) for net in found.nets},
        "eigenvectors": eigenvectors(found, last),
        "beta": betas(found),
    }


def end_points(found: Study) -> pd.DataFrame:
    """The authors' end points beside ours: median, least and greatest over the seeds."""
    rows = []
    for net, words in found.nets.items():
        for unit, (name, _) in UNITS.items():
            own = found.curves[(found.curves["net"] == net) & (found.curves["unit"] == unit)]
            last = own[own["step"] == own["step"].max()]
            theirs = _theirs(found.authors, net, unit).tail(1)
            row = {"net": words, "unit": name}
            for heading, metric, column in END_POINTS:
                values = last.loc[last["metric"] == metric, "value"]
                row[heading] = f"{float(theirs[column].iloc[0]):.3g}" if len(theirs) else "–"
                row[f"{heading}, ours"] = _spread(values)
            rows.append(row)
    return pd.DataFrame(rows)


def _spread(values: "pd.Series[float]") -> str:
    if values.empty:
        return "–"
    low, high = values.min(), values.max()
    return f"{values.median():.3g}" + ("" if high == low else f" [{low:.3g}, {high:.3g}]")


def _theirs(authors: pd.DataFrame, net: str, unit: str) -> pd.DataFrame:
    return authors[(authors["net"] == net) & (authors["activation"] == unit)]


def _legend(fig: Figure, axes: list[Axes]) -> None:
    """One legend above the panels."""
    legends.outside(fig, axes, loc="outside upper left", ncols=len(UNITS))


def _note(fig: Figure, found: Study, *text: str) -> None:
    n = int(found.curves.groupby("run")["seed"].nunique().max()) if len(found.curves) else 0
    explain(fig, f"n={n} seeds", *text)
