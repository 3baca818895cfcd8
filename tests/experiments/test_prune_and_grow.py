"""Units deleted and added: what must not change in the outputs does not, and the way through the sizes."""

import numpy as np
import pytest
import torch

from repro.datasets.digits import digits
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.procedures.prune_and_grow import (
    Net,
    accuracy,
    fresh,
    grown,
    prune_and_grow,
    pruned,
    tune,
)
from repro.seeds import generator

SETTINGS = {"direction": "prune", "sizes": [2, 4, 6], "first_steps": 60, "steps": 20, "batch_size": 16, "lr": 0.01}


def data(**changes):
    usual = {"valid_size": 60, "test_size": 100, "preprocessing": "none", "components": None, "subset": 200}
    return digits(**(usual | {"noisy_labels": None, "permuted_labels": None, "seed": 0} | changes))


def rows(**changes):
    """What the function finds, as the runner would call it."""
    work = prune_and_grow(**(SETTINGS | changes))
    prepared = type("Prepared", (), {"run": type("Run", (), {"seeds": (0,)})(), "data": data()})()
    once = work(prepared)
    once.advance()
    return {metric: (step, value) for _, step, _, _, metric, value in once.rows.curves}


def test_new_units_change_no_output():
    net, x = fresh(9, 4, 3, generator(0, "noise")), torch.randn(20, 9, generator=generator(1, "noise"))
    larger = grown(net, 7, generator(2, "noise"))
    assert larger.units == 7
    assert torch.equal(larger.outputs(x), net.outputs(x))
    assert (larger.hidden(x)[:, 4:].std(0) > 0).all()  # they have something to say once they are heard


def test_deleting_units_that_never_change_moves_no_output():
    net, x = fresh(9, 6, 3, generator(0, "noise")), torch.rand(20, 9, generator=generator(1, "noise"))
    net.into[0][[1, 4]] = 0
    net.into[1][1] = 2.5  # a unit that always says 2.5, and one that never says anything
    smaller = pruned(net, 4, x)
    assert torch.equal(smaller.into[0], net.into[0][[0, 2, 3, 5]])
    assert torch.allclose(smaller.outputs(x), net.outputs(x), atol=1e-6)


def test_the_units_that_go_are_those_with_the_least_importance():
    net, x = fresh(9, 6, 3, generator(3, "noise")), torch.rand(50, 9, generator=generator(1, "noise"))
    hidden, out = net.hidden(x).numpy(), net.out[0].numpy()
    importance = [np.std(hidden[:, u]) * np.sqrt((out[:, u] ** 2).sum()) for u in range(6)]
    kept = sorted(np.argsort(importance)[::-1][:2].tolist())
    smaller = pruned(net, 2, x)
    assert torch.equal(smaller.out[0], net.out[0][:, kept])
    folded = net.out[1].numpy() + sum(out[:, u] * hidden[:, u].mean() for u in range(6) if u not in kept)
    assert smaller.out[1].numpy() == pytest.approx(folded, abs=1e-6)
    # So its mean output is the mean output that there was.
    assert smaller.outputs(x).mean(0).tolist() == pytest.approx(net.outputs(x).mean(0).tolist(), abs=1e-5)


def test_the_way_down_and_the_way_up():
    down, up, new = rows(), rows(direction="grow"), rows(direction="fresh")
    assert [down[f"test_accuracy_of_{n}"][0] for n in (6, 4, 2)] == [60, 80, 100]
    assert [up[f"test_accuracy_of_{n}"][0] for n in (2, 4, 6)] == [60, 80, 100]
    assert [new[f"test_accuracy_of_{n}"][0] for n in (2, 4, 6)] == [60, 120, 180]
    assert up["changed_accuracy_of_4"][1] == up["test_accuracy_of_2"][1]
    assert not any(name.startswith("changed") for name in new)
    assert "changed_accuracy_of_6" not in down
    for found in (down, up, new):
        valid = {n: found[f"valid_accuracy_of_{n}"][1] for n in (2, 4, 6)}
        best = max(valid.values())
        assert found["chosen_size"][1] == min(n for n, value in valid.items() if value >= best - 0.01)
    assert rows() == down


def test_tuning_learns():
    own = data()
    net = fresh(64, 16, 10, generator(0, "noise"))
    before = accuracy(net, own.train)
    tune(net, own.train, 200, 32, 0.01, generator(1, "noise"))
    assert accuracy(net, own.train) > 0.8 > 0.4 > before
    assert isinstance(net, Net)
    assert not net.into[0].requires_grad


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"direction": "shrink"}, "unknown procedure.direction 'shrink'; known: .*grow"),
        ({"sizes": [4, 4]}, r"procedure.sizes must be whole numbers of 1 or more that rise"),
        ({"sizes": []}, r"procedure.sizes must be whole numbers of 1 or more that rise"),
        ({"first_steps": 0}, "procedure.first_steps must be a whole number of 1 or more"),
        ({"lr": -1}, "procedure.lr must be a finite number of at least 0"),
    ],
)
def test_wrong_settings(change, says):
    with pytest.raises(UserError, match=says):
        rows(**change)
