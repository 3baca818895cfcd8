"""The committed tables that scripts make of others are what the scripts make of them now."""

from pathlib import Path

import pytest

from repro.paths import CLONE
from repro.plots.experiment import Tables, further_tables
from repro.study.experiment import Experiment, load, names
from repro.text.tables import table

OTHERS = {"runs", "claims"}


def made(experiment: Experiment, folder: Path) -> dict[str, str]:
    """The files that `repro figures` would write, by name."""
    return {name: table(rows, "csv") + "\n" for name, rows in further_tables(experiment.script, Tables(folder)).items()}


@pytest.mark.parametrize("name", [n for n in names() if (CLONE / "results" / n / "claims.csv").is_file()])
def test_further_tables_follow_from_the_committed_ones(name: str) -> None:
    folder = CLONE / "results" / name
    committed = {file.stem: file.read_text() for file in folder.glob("*.csv") if file.stem not in OTHERS}
    assert made(load(name), folder) == committed, f"older than the tables; run: repro figures {name}"
