"""Runs and ledgers for a notebook: what the command does, with objects instead of files and printed tables."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from repro.storage.files import read_json
from repro.storage.run_files import read_summary
from repro.storage.tables import read

if TYPE_CHECKING:
    from torch import nn

    from repro.plots.details import Drawing
    from repro.plots.picture import Picture


class FinishedRun:
    """A run that has ended; its files are read when they are asked for.

    Args:
        folder: of the run.
        trusted: packages of one's own that its net is built of.
    """

    def __init__(self, folder: Path, trusted: Sequence[str] = ()) -> None:
        self.folder = folder
        self._trusted = list(trusted)

    def __repr__(self) -> str:
        return f"<run {self.folder}: {self.summary['status']}>"

    def __str__(self) -> str:
        from repro.text.run import text

        return text(self.folder)

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """summary.json: status, settings by dotted name, metrics of every seed, cost."""
        return read_summary(self.folder)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """config.yaml: the whole configuration, as it was composed."""
        from omegaconf import OmegaConf

        from repro.config.yaml_files import load as read_yaml

        settings = OmegaConf.to_container(read_yaml(self.folder / "config.yaml"))
        assert isinstance(settings, dict)
        return {str(key): value for key, value in settings.items()}

    @cached_property
    def provenance(self) -> Mapping[str, Any]:
        """provenance.json: commit, versions, device, words, times."""
        return read_json(self.folder / "provenance.json")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """curves.csv: run, seed, step, epoch, split, metric, value."""
        return read(self.folder / "curves.csv").astype({"value": float})

    @cached_property
    def layers(self) -> pd.DataFrame:
        """layers.csv: run, seed, step, epoch, layer, depth, quantity, value (docs/quantities.md)."""
        return read(self.folder / "layers.csv").astype({"value": float})

    @cached_property
    def models(self) -> Sequence["nn.Module"]:
        """The trained net of every seed, on the CPU and in evaluation mode; its data are read to build it.

        Raises:
            UserError: as `reopened`.
        """
        from repro.training.finished import nets, reopened

        _, loop = reopened(self.folder, trusted=self._trusted)
        return nets(loop)

    @property
    def model(self) -> "nn.Module":
        """The trained net of the first seed."""
        return self.models[0]

    def report(self) -> str:
        """What is found in its layers at the end, in plain words, each with its rule (see `repro.watch`)."""
        from repro.text.diagnosis import report

        if self.layers.empty:
            return "Nothing was measured in this run's layers; train it with diagnostics=layers to have them measured."
        losses = self.curves[(self.curves["split"] == "train") & (self.curves["metric"] == "loss")]
        return report(self.layers, losses[["step", "value"]])

    @cached_property
    def overview(self) -> "Picture":
        """The run at a glance."""
        from repro.plots.overview import picture

        return picture(self.folder)

    @cached_property
    def figures(self) -> Mapping[str, "Drawing"]:
        """The run in detail: a figure of everything that was measured, by name."""
        from repro.plots.details import draw

        return {drawing.name: drawing for drawing in draw(self.folder, self.summary)}

    def _repr_png_(self) -> bytes:
        return self.overview.png


def run(*words: str, results_dir: str | Path | None = None) -> FinishedRun:
    """Train one run, as `repro train` does with the same words; one that was trained before is only opened.

    Args:
        words: "activation=noisy_tanh", "architecture.depth=10", ...
        results_dir: where its folder goes, under runs/, whatever the words say; None = as they say, or "results".

    Raises:
        UserError: a word that `repro train` would refuse, in the same line.
        Interrupted: Ctrl-C; the same call resumes.
    """
    from repro.config.compose import run_of
    from repro.config.quoting import in_quotes, quoted
    from repro.config.short_keys import spelled_out
    from repro.errors import UserError
    from repro.study.experiment import refuse_ignored, with_variant
    from repro.training.run import train

    if wrong := [word for word in words if not isinstance(word, str)]:
        got = type(wrong[0]).__name__
        raise UserError(f"run takes words, e.g. run('activation=relu', 'seed=1'), or run(*words), not {got}")
    asked = spelled_out(with_variant(quoted(words)))
    if results_dir is not None:
        asked.append(f"results_dir={in_quotes(str(results_dir))}")
    refuse_ignored(asked)
    settings = run_of(asked)
    return FinishedRun(train(settings, asked).folder, settings.settings["trusted"])


def load(which: str | Path, results_dir: str | Path = "results", trusted: Sequence[str] = ()) -> FinishedRun:
    """Open a finished run.

    Args:
        which: its folder, its id, or a part of the folder's name that no other run has.
        results_dir: where it is looked for, under runs/, unless a folder is given.
        trusted: packages of one's own that its net is built of.

    Raises:
        UserError: no such run, several, or one that has not finished.
    """
    from repro.errors import UserError
    from repro.verbs.show import check_finished, find

    if isinstance(trusted, str):
        raise UserError(f"trusted must list names of packages, e.g. trusted=[{trusted!r}], not {trusted!r}")
    folder = find(str(which), Path(results_dir))
    check_finished(folder)
    return FinishedRun(folder, trusted)


def table(what: str | None = None, results_dir: str | Path = "results", scale: str = "published") -> pd.DataFrame:
    """The ledger: published number, ours with its interval and n, verdict, a row a claim.

    Args:
        what: PAPER or PAPER/EXPERIMENT; None = all.
        results_dir: folder of the committed tables.
        scale: at which they were made.

    Raises:
        UserError: unknown paper or experiment, or no tables.
    """
    from repro.errors import UserError
    from repro.study.ledger import ledger

    if not isinstance(what, str | None):
        raise UserError(f"table takes PAPER or PAPER/EXPERIMENT, a text, or None for all, not {type(what).__name__}")
    return ledger(what, scale, results_dir)


def judge(claim: Mapping[str, Any], **variants: FinishedRun | Sequence[FinishedRun]) -> pd.DataFrame:
    """The verdict on a claim of one's own, by the rules of the ledger (docs/verdicts.md).

    Args:
        claim: as in an experiment's file (`repro.claims.grammar` lists the kinds); `source` is `ours` and `says` empty
            where they are not given.
        variants: by the names that the claim has for them, the runs of each; their seeds are what is counted.

    Returns:
        One row: published, ours with its interval (low, high), n, verdict and more, as in a claims.csv.

    Raises:
        UserError: a claim that is not well formed, or that names what the runs do not have; no runs.
    """
    from tempfile import TemporaryDirectory

    from repro.claims.verdicts import judge as judged
    from repro.errors import UserError
    from repro.study.collect import Expected, collect

    if not isinstance(claim, Mapping):
        raise UserError(
            f"a claim is a mapping as in an experiment's file, with its kind and more, not {type(claim).__name__}"
        )
    expected: dict[str, Expected] = {}
    for name, given in variants.items():
        for one in given if isinstance(given, Iterable) else [given]:
            if not isinstance(one, FinishedRun):
                raise UserError(
                    f"{name} must be a run or a list of runs, of repro.run or repro.load, not {type(one).__name__}"
                )
            expected[str(one.summary["run"])] = Expected(name, {}, one.folder, tuple(one.summary["seeds"]))
    if not expected:
        raise UserError("judge needs the runs of at least one variant, e.g. judge(claim, plain=run)")
    with TemporaryDirectory() as place:
        folder = Path(place)
        collect(expected, folder, "own")
        runs, layers, curves = (read(folder / name) for name in ("runs.csv", "layers.csv.gz", "curves.csv.gz"))
        whole = {"says": "", "source": "ours", **claim}
        return judged({"own": whole}, runs, layers, curves, paper="", experiment="", variants=[*variants])
