"""An experiment's figures: its script turns the collected tables into figures, this writes them."""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pandas as pd

from repro.bars import tracked
from repro.errors import UserError
from repro.plots.style import save, styled
from repro.storage.tables import read


@dataclass(frozen=True)
class Tables:
    """The collected tables of an experiment, each read when it is first asked for.

    Attributes:
        folder: results/<paper>/<experiment>, or another folder with these tables.

    Raises:
        UserError: a table is missing or damaged.
    """

    folder: Path

    @cached_property
    def runs(self) -> pd.DataFrame:
        """runs.csv: one row a run and seed."""
        return read(self.folder / "runs.csv")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """curves.csv.gz: one row a run, seed, step, split and metric."""
        return _numbers(read(self.folder / "curves.csv.gz"))

    @cached_property
    def layers(self) -> pd.DataFrame:
        """layers.csv.gz: one row a run, seed, step, layer and quantity."""
        return _numbers(read(self.folder / "layers.csv.gz"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """predictions.csv.gz: one row a run, seed and sample, of the runs that wrote theirs."""
        return read(self.folder / "predictions.csv.gz")

    @cached_property
    def texts(self) -> pd.DataFrame:
        """texts.csv.gz: one row a run, seed and sample, of the runs that wrote theirs."""
        return read(self.folder / "texts.csv.gz")

    @cached_property
    def looks(self) -> pd.DataFrame:
        """looks.csv.gz: one row a run, image, word said and place, of the runs that wrote theirs."""
        return _numbers(read(self.folder / "looks.csv.gz"))

    @cached_property
    def spectrum(self) -> pd.DataFrame:
        """spectrum.csv.gz: one row a run, seed, step and eigenvalue, of the runs that wrote theirs."""
        return _numbers(read(self.folder / "spectrum.csv.gz"))

    @cached_property
    def claims(self) -> pd.DataFrame:
        """claims.csv: one row a claim."""
        return read(self.folder / "claims.csv")


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    # A table without rows has no types, and would fail in the first computation.
    return table.astype({"value": float})


def draw(script: Path, tables: Tables, out: Path) -> list[Path]:
    """Draw an experiment's figures.

    Args:
        script: experiments/<paper>/<experiment>.py, with a function `figures(tables) -> dict[str, Figure]`.
            It may leave out figures for which the tables have no rows.
        tables: what it draws.
        out: folder for `<name>.png` and `<name>.svg`; made when missing.

    Returns:
        The files, in the order of the figures.

    Raises:
        UserError: the script is missing or has no such function, a table is missing, or `out` cannot be written.
    """
    figures = getattr(module_of(script), "figures", None)
    if not callable(figures):
        raise UserError(f"{script} has no function figures(tables); add one that returns figures by name")
    with styled():
        drawn = figures(tables)
        return [path for name, fig in tracked(drawn.items(), "drawing", "figure") for path in save(fig, out / name)]


def further_tables(script: Path, tables: Tables) -> dict[str, pd.DataFrame]:
    """What a script makes of the tables besides figures, by name: a paper's table with ours beside it, say.

    Scripts that have such tables have a function `further_tables(tables) -> dict[str, DataFrame]`.
    """
    make = getattr(module_of(script), "further_tables", None)
    return make(tables) if callable(make) else {}


def further_columns(script: Path, tables: Tables) -> pd.DataFrame | None:
    """What follows from a run's tables and is claimed of, though no run has measured it; None where there is nothing.

    Scripts that have such columns have a function `further_columns(tables) -> DataFrame`: run, seed, and a number in
    each further column. Claims look at these as at the columns of runs.csv.
    """
    make = getattr(module_of(script), "further_columns", None)
    return make(tables) if callable(make) else None


def module_of(script: Path) -> ModuleType:
    """An experiment's script as a module, run anew at each call.

    Raises:
        UserError: there is no such file.
    """
    if not script.is_file():
        raise UserError(f"no script {script}; an experiment's figures are drawn by a script beside its YAML file")
    # By the name that it would be imported by, so that it can import from its paper's other modules.
    name = f"repro.experiments.{script.parent.name}.{script.stem}"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
