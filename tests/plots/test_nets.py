"""A net drawn from the entries of its weights: the same as the net itself; unit maps and warped grids."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.plots.nets import grid, outputs, parameters, principal, sigmoid
from repro.plots.regions import unit_map, warped_grid
from repro.training.prepare import prepare
from repro.training.run import train

WORDS = (
    "dataset=xor",
    "architecture.depth=2",
    "architecture.width=[12,2]",
    "initialization=uniform_everywhere",
    "initialization.bound=1",
    "trainer.steps=3",
    "diagnostics.quantities=[weight_entries,bias_entries]",
    "diagnostics.histogram=0",
)


def test_a_net_out_of_its_table(tmp_path):
    run = resolve(compose([*WORDS, f"results_dir={tmp_path}"]))
    learner = prepare(run).learner()
    rows = pd.read_csv(train(run).folder / "layers.csv")
    net = parameters(rows[rows["step"] == 0].sample(frac=1, random_state=0))
    assert [w.shape for w, _ in net] == [(12, 2), (2, 12), (2, 2)]
    x = grid(2, 5)
    found = outputs(net, x, np.tanh)
    with torch.no_grad():
        assert found[-1] == pytest.approx(learner.module(torch.tensor(x).float()).numpy(), abs=1e-5)
    assert [h.shape for h in found] == [(25, 12), (25, 2), (25, 2)]
    assert np.abs(found[0]).max() <= 1


def test_weights_that_were_not_asked_for():
    rows = pd.DataFrame({"depth": [1], "quantity": ["weight_norm"], "value": [1.0]})
    with pytest.raises(UserError, match=r"layer 1 has no entries .*weight_entries,bias_entries"):
        parameters(rows)


def test_a_grid_goes_in_rows_from_the_bottom_up():
    assert grid(1, 3).tolist()[:4] == [[-1, -1], [0, -1], [1, -1], [-1, 0]]
    assert sigmoid(np.array([0.0, 800.0, -800.0])).tolist() == [0.5, 1, 0]


def test_principal_components_keep_the_most_of_the_variance():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 2)) * [3, 1]
    turned = flat @ np.linalg.qr(rng.normal(size=(4, 4)))[0][:2] + 5
    (found,) = principal(turned, [turned])
    distances = [np.linalg.norm(v[:, None] - v[None], axis=2) for v in (flat, found)]
    assert distances[1] == pytest.approx(distances[0])
    assert found[:, 0].std() > found[:, 1].std()
    assert principal(flat, [flat])[0] is flat


def test_a_map_has_a_line_where_a_unit_is_halfway():
    ax = Figure().subplots()
    image = unit_map(ax, grid(1, 9)[:, 0], 1, (-1, 1))
    assert image.get_array()[0].tolist() == np.linspace(-1, 1, 9).tolist()
    (line,) = ax.collections
    assert np.abs(np.concatenate([p.vertices for p in line.get_paths()])[:, 0]).max() < 1e-9
    even = Figure().subplots()
    unit_map(even, np.full(9, 0.7), 1, (-1, 1))
    assert not even.collections


def test_a_grid_is_drawn_where_a_layer_sends_it():
    ax = Figure().subplots()
    places = 2 * grid(1, 4) + 3
    warped_grid(ax, places, np.arange(16) % 2, ("red", "blue"))
    segments = [s for lines in ax.collections for s in lines.get_segments()]
    assert len(segments) == 8
    assert {tuple(p) for s in segments for p in s} == {tuple(p) for p in places}
    drawn = {line.get_color(): line.get_xydata() for line in ax.lines}
    assert drawn["red"] == pytest.approx(places[::2])
