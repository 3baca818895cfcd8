"""Figures of splines: kinds through five points, errors by number of knots, the radius of what should be a circle."""

import numpy as np
from matplotlib.figure import Figure
from scipy.interpolate import BSpline, CubicHermiteSpline, CubicSpline

from repro.plots import legends
from repro.plots.experiment import Tables
from repro.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, TEXT, VERMILLION, explain, figure

SETTLED = "257 to 513 knots"  # over which the cubic spline's slope is taken once more
KINDS = {
    "linear": ("lines", QUIET, "-"),
    "cardinal": ("cardinal, tension ½", ORANGE, "-"),
    "catmull_rom": ("Catmull–Rom", VERMILLION, "-"),
    "hermite": ("Hermite, true slopes", GREEN, "-"),
    "cubic": ("cubic spline", BLUE, "-"),
    "b_spline": ("B-splines", SKY, "--"),
}
END = 2.0


def figures(tables: Tables) -> dict[str, Figure]:
    """Three curves by their formulas, errors of six kinds from the tables, radii by their formulas."""
    return {"kinds": _kinds(), "errors": _errors(tables), "circle": _circle()}


def _function(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(3 * x) + 0.3 * x**2)


def _kinds() -> Figure:
    x, t = np.linspace(0, END, 5), np.linspace(0, END, 400)
    y = _function(x)
    slopes = np.gradient(y, x)
    knots = np.concatenate([[0.0] * 3, np.linspace(0, END, 3), [END] * 3])
    curves = {
        "what is interpolated": (_function(t), INK, ":"),
        "Catmull–Rom": (CubicHermiteSpline(x, y, slopes)(t), VERMILLION, "-"),
        "cubic spline": (CubicSpline(x, y)(t), BLUE, "-"),
        "B-spline, the points its coefficients": (BSpline(knots, y, 3)(t), PURPLE, "-"),
    }
    fig = figure(TEXT, 2.8)
    ax = fig.subplots()
    for label, (values, color, dashes) in curves.items():
        ax.plot(t, values, color=color, linestyle=dashes, label=label)
    ax.plot(x, y, "o", color=INK, markersize=4, label="points")
    ax.set(xlabel="x", ylabel="sin 3x + 0.3 x²")
    legends.outside(fig, [ax], loc="outside right upper", widest=24)
    explain(fig, "drawn from formulas")
    return fig


def _errors(tables: Tables) -> Figure:
    rows = tables.curves[tables.curves["split"] == "splines"]
    fig = figure(TEXT, 3.2)
    ax = fig.subplots()
    for kind, (label, color, dashes) in KINDS.items():
        own = rows[rows["metric"] == f"{kind}_error"].groupby("step")["value"].mean()
        order = tables.runs[f"splines_{kind}_order"].mean()
        named = f"{label}: {order:.2f}"
        ax.plot(own.index, own, color=color, linestyle=dashes, marker="o", markersize=3, label=named)
    ax.set(xscale="log", yscale="log", xlabel="knots", ylabel="greatest error")
    sizes = sorted(rows[rows["metric"] == "linear_error"]["step"].unique())
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    over = f"order over {min(sizes)} to {max(sizes)} knots"
    legends.outside(fig, [ax], loc="outside right upper", widest=30, title=over, alignment="left")
    settled = tables.runs["splines_cubic_settled_order"].mean()
    explain(
        fig,
        f"mean over n={tables.runs['seed'].nunique()} draws of points",
        f"cubic spline over {SETTLED}, beyond the axis: order {settled:.2f}",
    )
    return fig


def _circle() -> Figure:
    t, kappa = np.linspace(0, 1, 401), 4 * (np.sqrt(2) - 1) / 3
    corner = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    cubic = np.array([[1.0, 0.0], [1.0, kappa], [kappa, 1.0], [0.0, 1.0]])
    curves = {
        "quadratic Bézier": (corner, np.ones(3), ORANGE),
        "cubic Bézier": (cubic, np.ones(4), VERMILLION),
        "NURBS": (corner, np.array([1, np.sqrt(0.5), 1]), BLUE),
    }
    fig = figure(TEXT, 2.6)
    axes = fig.subplots(1, len(curves))
    for ax, (label, (control, weights, color)) in zip(axes, curves.items(), strict=True):
        knots = np.repeat([0.0, 1.0], len(control))
        points = BSpline(knots, np.column_stack([control * weights[:, None], weights]), len(control) - 1)(t)
        off = np.hypot(points[:, 0], points[:, 1]) / points[:, 2] - 1
        angle = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
        ax.plot(angle, off, color=color)
        ax.set(title=label, xlabel="angle (degrees)")
        ax.set_xticks([0, 45, 90])
    axes[0].set_ylabel("radius − 1")
    explain(fig, "drawn from formulas; each panel has an axis of its own: what the last one shows is rounding")
    return fig
