"""What the page of `repro playground` is told, against the tables."""

import base64

import numpy as np
import pytest

from repro.html.playground import states
from repro.paths import CLONE
from repro.storage.tables import read
from repro.study.experiment import load
from repro.verbs.playground import EXPERIMENT

FOLDER = CLONE / "results" / EXPERIMENT


@pytest.mark.skipif(not (FOLDER / "predictions.csv.gz").is_file(), reason="no committed tables")
def test_states_are_those_of_the_tables() -> None:
    data = states(load(EXPERIMENT), FOLDER)
    runs, said, curves = (read(FOLDER / name) for name in ("runs.csv", "predictions.csv.gz", "curves.csv.gz"))
    runs = runs[runs["variant"] != "points"]
    assert len(data["nets"]) == len(runs)
    assert np.prod([len(choice["values"]) for choice in data["choices"]]) == len(runs)
    assert len(data["points"]) == 200
    assert data["steps"][0] == 0
    row = runs[(runs["variant"] == "tanh") & (runs["architecture.depth"] == 2) & (runs["normalization"] == "batch")]
    row = row[(row["initialization"] == "xavier") & (row["backward"] == "linear")].iloc[0]
    net = data["nets"]["tanh|2|xavier|batch|linear"]
    own = said[said["run"] == row["run"]]
    for place, step in enumerate(data["steps"]):
        grid = own[own["step"] == step].sort_values("sample")
        scored = curves.query("run == @row.run and split == 'test' and metric == 'accuracy' and step == @step")
        assert net["accuracy"][place] == pytest.approx(scored["value"].item(), abs=5e-4)
        bits = np.unpackbits(np.frombuffer(base64.b64decode(net["regions"][place]), np.uint8))
        assert bits[: len(grid)].tolist() == grid["predicted"].tolist()
    assert [len(layers) for layers in net["gradient"]] == [2] * len(data["steps"])
