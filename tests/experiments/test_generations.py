"""The spiking net against neurons one by one, its random spikes, the perceptron by hand, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from repro.config.compose import compose
from repro.config.run import resolve
from repro.experiments.understanding_neural_networks.architectures.spiking import Spiking
from repro.experiments.understanding_neural_networks.plots import spikes
from repro.experiments.understanding_neural_networks.procedures.digit_perceptron import digit_perceptron
from repro.model.activations import Activation, NoiseSource, attach_noise
from repro.model.activations.elementwise import Sign
from repro.model.backward import surrogate
from repro.model.initialization import TorchDefault, initialize
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.training.run import train

STEPS, WIDTH, INPUTS = 12, 5, 7


def net(**changes: object) -> Spiking:
    step = Activation(unit=lambda: Sign(1.0, 0.0), gate=lambda: Sign(0.5, 0.5))
    make = LayerFactory(step, lambda function, a: surrogate(function, a, 5.0), none)
    options = {"width": WIDTH, "steps": STEPS, "decay": 0.9, "threshold": 1.0, "bias": False} | changes
    made = Spiking((INPUTS,), 3, make, **options).double()  # type: ignore[arg-type]
    initialize(made, TorchDefault(), torch.Generator().manual_seed(1))
    with torch.no_grad():
        made.hidden.linear.weight.mul_(4)  # so that most neurons fire now and then
    return made


def test_neurons_one_by_one() -> None:
    """The twin of plots/spikes.py: the same spikes, and as outputs the mean potentials."""
    made = net().eval()
    x = torch.rand((6, INPUTS), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    fired_at_all = 0.0
    for sample, out in zip(x, made(x), strict=True):
        incoming = (made.drawn[:, 0] < sample).double().numpy()
        fired, _ = spikes.fired(incoming, made.hidden.linear.weight.detach().numpy())
        potentials = spikes.integrated(fired, made.output.weight.detach().numpy())
        np.testing.assert_allclose(out.detach(), potentials.mean(axis=0), atol=1e-12)
        fired_at_all += fired.mean()
    assert 0.05 < fired_at_all / 6 < 0.95


def test_a_neuron_fires_when_its_potential_reaches_the_threshold_which_is_taken_off() -> None:
    fired, potentials = spikes.fired(np.ones((4, 1)), np.array([[0.6]]))
    np.testing.assert_allclose(potentials[:, 0], [0.6, 1.14, 0.6 + 0.9 * 0.14, 0.9 * 0.726 + 0.6])
    assert fired[:, 0].tolist() == [0, 1, 0, 1]


def test_gradients_come_through_spikes_by_the_surrogate() -> None:
    """One step of time, where they are those of a formula."""
    made = net(steps=1).train()
    attach_noise(made, NoiseSource([torch.Generator().manual_seed(3)]))
    x = torch.ones((2, INPUTS), dtype=torch.float64)  # every pixel fires
    made(x)[:, 0].sum().backward()
    above = made.hidden.linear.weight.sum(1) - 1
    slope = (1 + 5 * above.abs()) ** -2 * made.output.weight[0]
    torch.testing.assert_close(made.hidden.linear.weight.grad, 2 * slope[:, None].expand(-1, INPUTS))


def test_pixels_fire_as_often_as_they_are_bright() -> None:
    made = net(steps=2000).train()
    attach_noise(made, NoiseSource([torch.Generator().manual_seed(3)]))
    x = torch.linspace(0, 1, INPUTS, dtype=torch.float64)[None]
    for training in (True, False):
        rates = made.train(training)._spikes(x).mean(0)
        torch.testing.assert_close(rates, x, atol=0.05, rtol=0)
    assert torch.equal(made.eval()(x), made(x))
    assert not torch.equal(made.train()(x), made(x))


def test_seeds_are_stacked_as_alone_with_diagnostics(tmp_path: Path) -> None:
    words = ["dataset=digits", "dataset.preprocessing=none", "dataset.subset=60", "architecture=spiking"]
    words += ["architecture.width=8", "architecture.steps=3", "activation=sign", "backward=surrogate"]
    words += ["trainer.precision=float64", "trainer.epochs=1", "trainer.batch_size=16", "diagnostics.probe=8"]

    def losses(*more: str) -> pd.Series:
        run = resolve(compose([*words, *more, f"results_dir={tmp_path}"]))
        rows = pd.read_csv(train(run).folder / "curves.csv")
        rows = rows[(rows["metric"] == "loss") & (rows["split"] == "test")]
        return rows.set_index(["seed", "step"])["value"]

    together = losses("replicas=2")
    for seed in (0, 1):
        pd.testing.assert_series_equal(together.loc[[seed]], losses(f"seed={seed}"), rtol=1e-9)


def test_the_perceptron_by_hand() -> None:
    x, y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), torch.tensor([1, 2, 0, 1])
    data = SimpleNamespace(train=SimpleNamespace(x=x, y=y), test=SimpleNamespace(x=x, y=y), outputs=3)
    order = torch.randperm(4, generator=torch.Generator().manual_seed(5)).tolist()
    lines, total = np.zeros((3, 3)), np.zeros((3, 3))
    for i in order:
        own = np.array([*x[i].tolist(), 1.0])
        told = max(range(3), key=lambda k: (lines[k] @ own, -k))
        if told != y[i]:
            lines[y[i]] += own
            lines[told] -= own
        total += lines
    made = digit_perceptron(epochs=1)(SimpleNamespace(run=SimpleNamespace(seeds=[0]), data=data))
    rows = {row.metric: row.value for row in made.function(data, torch.Generator().manual_seed(5))}
    with_one = np.hstack([x.numpy(), np.ones((4, 1))])
    for name, chosen in (("plain", lines), ("averaged", total / 4)):
        right = (with_one @ chosen.T).argmax(1) == y.numpy()
        assert rows[f"{name}_accuracy"] == pytest.approx(right.mean())


def test_bad_input(cli: Callable) -> None:
    spiking = ["dataset=digits", "architecture=spiking", "activation=sign", "backward=surrogate"]
    says = "fires or does not, and the gate of this activation is no step from 0 to 1; take activation=sign"
    assert says in cli("train", *spiking[:2]).mistake
    for option, rule in {
        "steps=0": "architecture.steps must be a whole number of 1 or more, not 0",
        "width=0": "architecture.width must be a whole number of 1 or more, not 0",
        "decay=1.5": "architecture.decay must be a finite number of at least 0 and at most 1, not 1.5",
        "threshold=0": "architecture.threshold must be a finite number above 0, not 0",
    }.items():
        assert cli("train", *spiking, f"architecture.{option}").mistake.startswith(rule)
    perceptron = ["procedure=digit_perceptron", "dataset=digits"]
    assert (
        cli("train", *perceptron, "procedure.epochs=0").mistake
        == "procedure.epochs must be a whole number of 1 or more, not 0"
    )
