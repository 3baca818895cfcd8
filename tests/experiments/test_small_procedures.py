"""Exact gradients, perceptrons, descent, a neuron set by hand, vectorization, Hebb, noise of batches, fooled digits.

All against slow twins and by hand.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import Said
from repro.datasets.digits import digits
from repro.datasets.memory import Data
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.datasets import bar
from repro.experiments.understanding_neural_networks.procedures import exact_gradients as exact
from repro.experiments.understanding_neural_networks.procedures import fooled_digits as fooled
from repro.experiments.understanding_neural_networks.procedures import gradient_descent as descent
from repro.experiments.understanding_neural_networks.procedures import gradient_error as noise
from repro.experiments.understanding_neural_networks.procedures import hand_set_neuron as neuron
from repro.experiments.understanding_neural_networks.procedures import hebb, perceptron, small_nets, xor_net
from repro.experiments.understanding_neural_networks.procedures import vectorization as vector
from repro.seeds import generator

TINY = 1e-12


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def data() -> Data:
    return digits(180, 180, "none", None, 200, None, None, 0)


def measured(made: Callable[..., Any], data: Any = None, seeds: tuple[int, ...] = (0,), **settings: Any) -> Any:
    """The last value of each metric, one a seed."""
    return {name: values for (_, name), values in work(made, data, seeds, **settings).advance().items()}


def work(made: Callable[..., Any], data: Any, seeds: tuple[int, ...], **settings: Any) -> Any:
    """What a run of these seeds does."""

    class Prepared:
        run = type("Run", (), {"seeds": seeds})

    Prepared.data = data  # type: ignore[attr-defined]
    return made(**settings)(Prepared)


EXACT = {"hidden": [5, 4], "images": 7, "batch_norm_samples": 6, "smallest": 12}


def test_identities_hold_to_rounding(data: Data) -> None:
    found = measured(exact.exact_gradients, data, (0, 1, 2), **EXACT)
    names = ("four_equations", "scalar_chain", "paths", "jacobians", "input_output", "softmax", "batch_norm")
    for name in names:
        assert found[f"{name}_error"].max() < TINY, name
    assert found["batch_norm_of_ones"].max() < TINY
    assert found["batch_norm_of_normalized"].max() < 1e-9  # at the smallest epsilon
    assert found["best_difference_error"].max() < 1e-7
    assert 1e-10 < found["float32_error"].min() < 1e-6
    assert found["largest_gradient"].min() > 1e-3


def without_slope(net: Any, layers: Any, y: Any) -> list[torch.Tensor]:
    return [delta / (a * (1 - a)) for delta, a in zip(small_nets.errors(net, layers, y), layers[1:], strict=True)]


def test_a_wrong_equation_is_seen(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "errors", without_slope)
    assert measured(exact.exact_gradients, data, **EXACT)["four_equations_error"].min() > 1e-3


def test_errors_are_sums_over_paths_one_by_one() -> None:
    """BP1 to BP4, index by index."""
    net = small_nets.sigmoid_net([3, 2, 2], rng())
    x, y = torch.rand(1, 3, generator=rng(1)).double(), torch.tensor([[0.0, 1.0]]).double()
    layers = small_nets.activations(net, x)
    (weight, bias), (above, _) = net
    for j in range(2):
        z = sum(float(weight[j, k] * x[0, k]) for k in range(3)) + float(bias[j])
        assert float(layers[1][0, j]) == pytest.approx(1 / (1 + math.exp(-z)), abs=TINY)
    deltas = small_nets.errors(net, layers, y)
    out = [float(a) for a in layers[2][0]]
    last = [(out[j] - float(y[0, j])) * out[j] * (1 - out[j]) for j in range(2)]
    assert deltas[1][0].tolist() == pytest.approx(last, abs=TINY)
    for k in range(2):
        a = float(layers[1][0, k])
        expected = sum(float(above[j, k]) * last[j] for j in range(2)) * a * (1 - a)
        assert float(deltas[0][0, k]) == pytest.approx(expected, abs=TINY)
    by_weight, by_bias = small_nets.gradients(layers, deltas)[0]
    assert float(by_weight[1, 2]) == pytest.approx(float(deltas[0][0, 1] * x[0, 2]), abs=TINY)
    assert torch.equal(by_bias, deltas[0][0])


def test_batches_need_classes(data: Data) -> None:
    with pytest.raises(UserError, match="needs inputs with one class each; take dataset=digits"):
        small_nets.batch(None, 3, rng())
    with pytest.raises(UserError, match=r"procedure\.images=300 is more than the 200 of the training set"):
        small_nets.batch(data, 300, rng())
    x, y = small_nets.batch(data, 200, rng())
    assert x.shape == (200, 64)
    assert 0 <= x.min() < x.max() <= 1
    assert torch.equal(y.sum(1), torch.ones(200).double())


def test_rosenblatt_one_corner_after_the_other() -> None:
    targets = np.array([[0, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 0]], dtype=float)
    orders = np.stack([[np.random.default_rng(s + 9 * e).permutation(4) for e in range(12)] for s in range(3)])
    learnt, weights = perceptron.rosenblatt(targets, orders)
    for seed, function in np.ndindex(3, 3):
        w, first = np.zeros(3), math.inf
        for epoch, order in enumerate(orders[seed], 1):
            mistakes = 0
            for corner in order:
                x = perceptron.CORNERS[corner]
                off = targets[function, corner] - float(w @ x > 0)
                w, mistakes = w + off * x, mistakes + abs(off)
            first = min(first, epoch if mistakes == 0 else math.inf)
        assert learnt[seed, function] == first
        assert np.array_equal(weights[seed, function], w)


def test_what_a_single_unit_learns() -> None:
    found = measured(perceptron.perceptron, None, (0, 1, 2), epochs=50, steps=3000, rate=1.0)
    assert found["separable"].tolist() == [14, 14, 14]
    assert [found[f"learnt_{gate}"].min() for gate in ("and", "or", "nand", "xor", "xnor")] == [1, 1, 1, 0, 0]
    assert "epochs_xor" not in found
    assert found["logistic_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert found["logistic_largest_weight"].max() < 1e-3
    w, loss = perceptron.logistic(np.zeros((1, 3)), np.array([0.0, 0, 0, 1]), 5000, 1.0)
    assert loss[0] < 0.1  # what can be learnt is
    assert ((w @ perceptron.CORNERS.T > 0)[0] == [False, False, False, True]).all()


def test_gradients_of_the_small_net_are_automatic_ones() -> None:
    shapes = [(2, 2, 4), (2, 1, 4), (2, 4, 1), (2, 1, 1)]  # of two seeds
    net = [torch.randn(s, generator=rng(i), dtype=torch.float64).requires_grad_() for i, s in enumerate(shapes)]
    hiddens, out = xor_net.outputs(net, xor_net.BITS)
    auto = torch.autograd.grad(0.5 * (out - xor_net.XOR).square().sum(), net)
    for own, other in zip(xor_net.gradients(net, hiddens, out), auto, strict=True):
        assert (own - other).abs().max() < TINY


def test_exclusive_or_is_learnt_alone_as_together() -> None:
    settings = {"hidden": 8, "steps": 3000, "rate": 0.5, "side": 3}
    together = measured(xor_net.xor_net, None, (0, 1, 2, 3), **settings)
    alone = measured(xor_net.xor_net, None, (2,), **settings)
    assert {name: v[2] for name, v in together.items()} == pytest.approx({n: v[0] for n, v in alone.items()})
    assert together["learnt"].mean() >= 0.75
    assert (together["learnt_step"][together["learnt"] == 1] < 3000).all()
    assert (together["loss"][together["learnt"] == 1] < 0.5).all()


def test_the_line_with_four_minima() -> None:
    w = np.linspace(-4, 4, 81)
    numeric = (descent.landscape(w + 1e-6) - descent.landscape(w - 1e-6)) / 2e-6
    assert descent.slope(w) == pytest.approx(numeric, abs=1e-7)
    places = descent.minima()
    assert places == pytest.approx([-2.61, -0.64, 1.66, 3.19], abs=0.006)
    assert descent.landscape(places) == pytest.approx([-3.55, -1.37, -1.74, -0.12], abs=0.006)


DESCENT = {"directions": 10000, "starts": 41, "steps": 2000, "rate": 0.01, "momentum": 0.97, "noise": 0.2}


def test_facts_of_gradient_descent() -> None:
    found = measured(descent.gradient_descent, **DESCENT, samples=[40, 80], batch=4, repeats=3)
    assert found["steepest_angle"][0] == pytest.approx(math.atan(1 / 3), abs=2 * math.pi / 10000)
    assert found["steepest_off_by"][0] <= 1
    assert found["rise_ratio"][0] == pytest.approx(3, abs=1e-3)
    assert found["minima_plain"][0] == 4
    # Without noise each start ends in the minimum of its own valley, between the maxima beside it.
    w = np.linspace(-4, 4, 100_001)
    values = descent.landscape(w)
    tops = w[1:-1][(values[1:-1] > values[:-2]) & (values[1:-1] > values[2:])]
    starts = np.linspace(-4, 4, 41)
    in_lowest = (np.searchsorted(tops, starts) == int(descent.landscape(descent.minima()).argmin())).mean()
    assert found["lowest_plain"][0] == pytest.approx(in_lowest)
    assert (found["moving_binary"][0], found["moving_sigmoid"][0]) == (0, 1)
    assert min(found[f"{name}_milliseconds"][0] for name in ("full", "minibatch")) >= 0


def test_a_neuron_by_hand() -> None:
    found = measured(neuron.hand_set_neuron, surround=True, bias=-10.0)
    assert [found[f"{name}_sum"][0] for name in ("bar", "block", "upright")] == [24 - 10, 24 - 24 - 10, 4 - 4 - 10]
    assert found["bar"][0] == pytest.approx(1 / (1 + math.exp(-14)))
    assert found["noise"][0] < 0.01
    bare = measured(neuron.hand_set_neuron, surround=False, bias=-10.0)
    assert bare["block_sum"][0] == 14
    assert bar.weights(True).sum() == 0


def test_loops_and_matrices_agree() -> None:
    draw = np.random.default_rng(0)
    weight, bias, x = draw.normal(size=(5, 30)), draw.normal(size=5), draw.normal(size=(4, 30))
    looped = [vector.by_loops(weight.tolist(), bias.tolist(), v) for v in x.tolist()]
    assert np.abs(np.array(looped) - vector.by_matrix(weight, bias, x)).max() < 1e-10
    found = measured(vector.vectorization, inputs=784, outputs=16, batch=5, repeats=5)
    assert max(found["difference"][0], found["batch_difference"][0]) < 1e-10
    assert found["loops_time_ratio"][0] == found["loops_milliseconds"][0] / found["matrix_milliseconds"][0]


def test_hebb_by_its_formula(data: Data) -> None:
    found = measured(hebb.hebb, data, hidden=[6, 5], images=12, scale=1.0)
    assert found["own_correlation"][0] == pytest.approx(1, abs=1e-9)
    assert found["own_least"][0] >= 0 >= found["others_greatest"][0]
    assert found["counter_example"][0] == pytest.approx(0.999**2 * 0.001 / 0.125)
    x, y = small_nets.batch(data, 12, rng())
    net = small_nets.sigmoid_net([64, 6, 5, 10], rng())
    *_, below, out = small_nets.activations(net, x)
    by_hand = ((out - y) * out * (1 - out))[:, :, None] * below[:, None]
    assert (hebb._gradients(net[-1], below, y) - by_hand).abs().max() < TINY


def refusals() -> Iterator[tuple[str, str, str]]:
    yield "exact_gradients", "images=0", "images must be a whole number of 1 or more, not 0"
    yield "exact_gradients", "hidden=[4,0]", "hidden must be a whole number of 1 or more, not 0"
    yield "exact_gradients", "batch_norm_samples=1", "batch_norm_samples must be a whole number of 2 or more, not 1"
    yield "exact_gradients", "smallest=0", "smallest must be a whole number of 1 or more, not 0"
    yield "perceptron", "epochs=0", "epochs must be a whole number of 1 or more, not 0"
    yield "perceptron", "steps=0", "steps must be a whole number of 1 or more, not 0"
    yield "perceptron", "rate=0", "rate must be a finite number above 0, not 0"
    yield "xor_net", "hidden=0", "hidden must be a whole number of 1 or more, not 0"
    yield "xor_net", "steps=0", "steps must be a whole number of 1 or more, not 0"
    yield "xor_net", "rate=-1", "rate must be a finite number above 0, not -1"
    yield "xor_net", "side=-1", "side must be a whole number of 0 or more, not -1"
    yield "gradient_descent", "directions=4", "directions must be a whole number of 8 or more, not 4"
    yield "gradient_descent", "starts=1", "starts must be a whole number of 2 or more, not 1"
    yield "gradient_descent", "steps=0", "steps must be a whole number of 1 or more, not 0"
    yield "gradient_descent", "rate=0", "rate must be a finite number above 0, not 0"
    yield "gradient_descent", "momentum=1", "momentum must be a finite number of at least 0 and below 1, not 1"
    yield "gradient_descent", "noise=-1", "noise must be a finite number of at least 0, not -1"
    yield "gradient_descent", "samples=[8]", "samples must be a whole number of 32 or more, not 8"
    yield "gradient_descent", "samples=[]", "samples must name one size or more"
    yield "gradient_descent", "batch=0", "batch must be a whole number of 1 or more, not 0"
    yield "gradient_descent", "repeats=0", "repeats must be a whole number of 1 or more, not 0"
    yield "hand_set_neuron", "bias=inf", "bias must be a finite number, not inf"
    yield "vectorization", "inputs=0", "inputs must be a whole number of 1 or more, not 0"
    yield "vectorization", "outputs=0", "outputs must be a whole number of 1 or more, not 0"
    yield "vectorization", "batch=0", "batch must be a whole number of 1 or more, not 0"
    yield "vectorization", "repeats=0", "repeats must be a whole number of 1 or more, not 0"
    yield "hebb", "hidden=[16,1]", "hidden must be a whole number of 2 or more, not 1"
    yield "hebb", "images=1", "images must be a whole number of 2 or more, not 1"
    yield "hebb", "scale=0", "scale must be a finite number above 0, not 0"


@pytest.mark.parametrize(("procedure", "word", "says"), list(refusals()))
def test_what_they_refuse(procedure: str, word: str, says: str, cli: Callable[..., Said]) -> None:
    assert says in cli("train", f"procedure={procedure}", f"procedure.{word}").mistake
    assert not Path("results").exists()


@pytest.mark.parametrize("procedure", ["hebb", "exact_gradients"])
def test_more_images_than_there_are(procedure: str, cli: Callable[..., Said]) -> None:
    said = cli("train", f"procedure={procedure}", "procedure.images=2000")
    assert said.status == 2
    assert "procedure.images=2000 is more than the" in said.err.splitlines()[-1]


def test_gradient_errors_are_those_of_batches_drawn_one_by_one(data: Data) -> None:
    """Of independent draws the mean square of the error is the variance of a sample's gradient over the size."""
    found = measured(noise.gradient_error, data, hidden=3, sizes=[1, 25], batches=4000)
    own = rng_of_a_run(0)
    x, y = small_nets.batch(data, len(data.train), own)
    net = noise._net(x.shape[1], 3, y.shape[1], own)
    singles = torch.stack([noise._gradient(net, x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    mean = singles.mean(0)
    assert torch.allclose(mean, noise._gradient(net, x, y), atol=TINY)
    of_one = float((singles - mean).square().sum(1).mean().sqrt() / mean.norm())
    assert found["relative"][0] == pytest.approx(of_one / 5, rel=0.05)  # the last size
    assert found["exponent"][0] == pytest.approx(-0.5, abs=0.02)


def rng_of_a_run(seed: int) -> torch.Generator:
    return generator(seed, "noise")


def test_fooled_digits_are_told_rightly_and_changed_by_no_more_than_allowed(data: Data) -> None:
    once = work(fooled.fooled_digits, data, (0,), hidden=8, steps=150, size=0.1, shown=4)
    once.advance()
    series: dict[str, list[float]] = {}
    for *_, metric, value in once.rows.curves:
        series.setdefault(metric, []).append(value)
    original, changed = (torch.tensor(series[name]).view(4, -1) for name in ("original", "changed"))
    assert all(own != said for own, said in zip(series["class"], series["told"], strict=True))
    assert float((changed - original).abs().max()) <= 0.1 + 1e-6
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    # Each is an image of the test split with its class, and they come in its order.
    pixels = data.test.x.flatten(1)
    places = [int((pixels - image).abs().sum(1).argmin()) for image in original]
    assert torch.equal(pixels[places], original)
    assert data.test.y[places].tolist() == series["class"]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("made", "settings", "said"),
    [
        (noise.gradient_error, {"hidden": 4, "sizes": [4], "batches": 2}, "two or more different sizes"),
        (noise.gradient_error, {"hidden": 4, "sizes": [0, 4], "batches": 2}, "each of procedure.sizes"),
        (noise.gradient_error, {"hidden": 0, "sizes": [1, 4], "batches": 2}, "procedure.hidden"),
        (fooled.fooled_digits, {"hidden": 4, "steps": 0, "size": 0.1, "shown": 1}, "procedure.steps"),
        (fooled.fooled_digits, {"hidden": 4, "steps": 1, "size": -0.1, "shown": 1}, "procedure.size"),
    ],
)
def test_settings_out_of_range(made: Any, settings: dict[str, Any], said: str, data: Data) -> None:
    with pytest.raises(UserError, match=said):
        measured(made, data, **settings)
