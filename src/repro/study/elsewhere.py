"""What was trained of an experiment besides the runs that are asked about: at other scales, or by hand."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from repro.storage.tables import read
from repro.study.experiment import Experiment, results_folder

LOOSE = "in no table"


@dataclass(frozen=True)
class Other:
    """The tables of another scale.

    Attributes:
        scale: its name; "custom" where the user's own settings were among the overrides.
        folder: where its tables lie.
    """

    scale: str
    folder: Path

    @property
    def runs(self) -> pd.DataFrame:
        """Its runs.csv."""
        return read(self.folder / "runs.csv")


def other_scales(experiment: Experiment, results_dir: str | Path, but: str = "published") -> list[Other]:
    """The scales at which there are collected runs, by name, without the one that is asked about."""
    shown = results_folder(results_dir, experiment, but)
    published = results_folder(results_dir, experiment, "published")
    folders = {path.parent.name: path.parent for path in published.glob("*/runs.csv")}
    folders[experiment.published_scale] = published
    return [
        Other(scale, folder)
        for scale, folder in sorted(folders.items())
        if folder != shown and (folder / "runs.csv").is_file()
    ]


def trained_elsewhere(
    experiment: Experiment, results_dir: str | Path, planned: Collection[str], but: str = "published"
) -> dict[str, int]:
    """How many runs there are besides the planned ones: by scale, and those that finished but are in no table.

    Args:
        planned: ids of the runs that are asked about.
        but: their scale.
    """
    by_scale = {
        other.scale: set(other.runs["run"].astype("str")) for other in other_scales(experiment, results_dir, but)
    }
    finished = (Path(results_dir) / "runs" / experiment.name).glob("*/done.json")
    loose = {path.parent.name.rpartition("-")[2] for path in finished}.difference(planned, *by_scale.values())
    return {scale: len(runs) for scale, runs in by_scale.items() if runs} | ({LOOSE: len(loose)} if loose else {})
