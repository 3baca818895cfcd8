"""The committed tables that scripts make of others are what the scripts make of them now."""

import gzip
from pathlib import Path

import pytest

from repro.claims.summary import AT_SCALE, OWN, SMALLER, group
from repro.errors import UserError
from repro.paths import CLONE
from repro.plots.experiment import Tables, further_tables
from repro.study.experiment import Experiment, load, names
from repro.study.judging import judge
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


def test_claims_see_columns_that_a_script_makes_of_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.study.experiment.experiments_dir", lambda: tmp_path)
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "one.py").write_text(
        "def further_columns(tables):\n"
        "    totals = tables.layers.groupby(['run', 'seed'], as_index=False)['value'].sum()\n"
        "    return totals.rename(columns={'value': 'total'})\n"
    )
    runs = ["run,variant,seed,status,scale", "a,base,0,done,full", "a,base,1,done,full", "b,base,2,done,full"]
    (tmp_path / "runs.csv").write_text("\n".join(runs) + "\n")
    layers = ["run,seed,quantity,value", "a,0,x,1", "a,0,y,2", "a,1,x,4"]  # of run b there are none
    with gzip.open(tmp_path / "layers.csv.gz", "wt") as file:
        file.write("\n".join(layers) + "\n")
    claim = {"says": "Its total is above 0.", "source": "ours", "kind": "above", "metric": "total", "bound": 0}
    made = judge(Experiment("paper/one", {"claims": {"total": claim}}), tmp_path)
    assert made[["ours", "n"]].to_numpy().tolist() == [[3.5, 2]]
    with pytest.raises(UserError, match=r"unknown metric in claim total 'totl'; .*did you mean total"):
        judge(Experiment("paper/one", {"claims": {"total": claim | {"metric": "totl"}}}), tmp_path)


def test_what_full_is_less_in_than_the_paper_is_said_of_its_claims(tmp_path: Path) -> None:
    runs = ["run,variant,seed,status,scale,total", "a,base,0,done,full,1", "a,base,1,done,full,2"]
    (tmp_path / "runs.csv").write_text("\n".join(runs) + "\n")
    own = {"says": "Above 0.", "source": "ours", "kind": "above", "metric": "total", "bound": 0}
    paper = own | {"source": "Table 1", "published": "much"}
    claims = {"small": paper, "exact": paper, "small_own": own}
    found = judge(Experiment("paper/one", {"claims": claims, "reduced": ["small*"]}), tmp_path)
    assert dict(zip(found["claim"], found["scale"], strict=True)) == {
        "small": "full, reduced",
        "exact": "full",
        "small_own": "full",
    }
    assert [group(*row) for row in found[["origin", "scale"]].to_numpy()] == [SMALLER, AT_SCALE, OWN]
    with pytest.raises(UserError, match=r"unknown claim of paper/one, in `reduced`, 'smal'; .*small"):
        judge(Experiment("paper/one", {"claims": claims, "reduced": ["smal"]}), tmp_path)
