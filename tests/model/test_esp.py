"""ESP units with one β a unit, one a layer, or none that learns; β of outputs; and the βs in layers.csv."""

from collections.abc import Callable

import pandas as pd
import pytest
import torch

from conftest import Said, Trained, equal
from curvature import ESP, ONE_LAYER, case
from repro.diagnostics.measure import of_layers
from repro.model.activations.elementwise import Esp, Scaled, Swish, esp
from repro.training.forward import Execution
from repro.training.replicas import learner


def points(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_one_beta_a_layer() -> None:
    module = Esp(5, 1.7, 0.0, per_layer=True).double()
    module.reset(torch.Generator())
    x = points(3, 5)
    assert module.beta.shape == (1,)
    torch.testing.assert_close(module(x), Swish(1.7)(x))
    module(x).sum().backward()
    # Its gradient is the sum of those of units of their own.
    each = Esp(5, 1.7, 0.0).double()
    each.reset(torch.Generator())
    each(x).sum().backward()
    torch.testing.assert_close(module.beta.grad, each.beta.grad.sum()[None])
    images = points(2, 5, 3, 3)
    torch.testing.assert_close(module(images), Swish(1.7)(images))


@pytest.mark.parametrize("per_layer", [False, True])
def test_fixed_betas_are_no_parameters(per_layer: bool) -> None:
    module = Esp(4, None, 0.5, per_layer, fixed=True).double()
    module.reset(torch.Generator().manual_seed(3))
    assert list(module.parameters()) == []
    assert module.beta.shape == (1 if per_layer else 4,)
    assert module.beta.abs().min() > 0
    drawn = Esp(4, None, 0.5, per_layer).double()
    drawn.reset(torch.Generator().manual_seed(3))
    assert torch.equal(module.beta, drawn.beta)
    x = points(6, 4)
    assert torch.equal(module(x), drawn(x))


def test_options_that_are_null_are_off() -> None:
    module = esp(None, 0.1, None, None).unit(3)
    assert [(name, p.shape) for name, p in module.named_parameters()] == [("beta", (3,))]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (ESP, 52),
        ((*ESP, "activation.per_layer=true"), 43),  # one β of the layer, one of the output
        ((*ESP, "activation.fixed=true"), 42),
        (("activation=esp",), 51),
        (("activation=relu", "architecture.output_beta=1"), 42),
    ],
)
def test_parameters_of_2_10_1(words: tuple[str, ...], count: int) -> None:
    assert sum(p.numel() for p in case(*ONE_LAYER, *words).module.parameters()) == count


def test_fixed_betas_stay_where_they_start(trained: Callable[..., Trained]) -> None:
    words = ("activation=esp", "activation.beta_std=0.5", "trainer.steps=5", "diagnostics.histogram=0")
    free = trained(*words, "diagnostics.quantities=[beta_units]")
    fixed = trained(*words, "activation.fixed=true", "diagnostics.quantities=[]")
    buffers, parameters = fixed.state["buffers"], free.state["parameters"]
    assert set(buffers) == {f"hidden.{i}.activation.function.beta" for i in (0, 1)} < set(parameters)
    start = pd.read_csv(free.folder / "layers.csv").query("step == 0").set_index(["layer", "quantity"])["value"]
    for layer in ("hidden.0", "hidden.1"):
        values = [start[layer, f"beta_{i:03d}"] for i in range(8)]
        name = f"{layer}.activation.function.beta"
        assert buffers[name].tolist() == pytest.approx(values)  # both start from the same
        assert parameters[name].tolist() != pytest.approx(values)
    # They are no parameters, and not told among those that learn.
    assert len(pd.read_csv(fixed.folder / "layers.csv")) == 0


@pytest.mark.parametrize("seeds", [1, 3])
def test_beta_of_outputs(seeds: int, trained: Callable[..., Trained]) -> None:
    words = ("architecture.output_beta=2", "architecture.output_beta_std=0.5", "trainer.epochs=0")
    state = trained(*words, f"replicas={seeds}").state["parameters"]
    drawn = state["activation.function.beta"]
    assert drawn.shape == ((2,) if seeds == 1 else (3, 2))
    assert len(set(drawn.flatten().tolist())) == 2 * seeds
    plain = trained("trainer.epochs=0", f"replicas={seeds}").state["parameters"]
    # Weights start from the same numbers with and without it.
    assert equal({k: v for k, v in state.items() if k in plain}, plain)
    exact = trained("architecture.output_beta=2", "trainer.epochs=0").state["parameters"]
    assert exact["activation.function.beta"].tolist() == [2, 2]


def test_the_output_is_beta_times_what_it_was() -> None:
    one, plain = (case(*ONE_LAYER, *words, shaken=0.0) for words in (("architecture.output_beta=1.5",), ()))
    torch.testing.assert_close(one.module(one.batch.x), 1.5 * plain.module(one.batch.x))


def test_the_backward_rule_leaves_the_output_s_beta_alone() -> None:
    one = case(*ONE_LAYER, "architecture.depth=0", "architecture.output_beta=1.5", "backward=linear")
    exact = case(*ONE_LAYER, "architecture.depth=0", "architecture.output_beta=1.5")
    torch.testing.assert_close(one.gradient(), exact.gradient())


def test_scaled_starts_where_it_is_told() -> None:
    module = Scaled(50_000, 1.0, 0.2)
    assert not module.beta.any()
    module.reset(torch.Generator().manual_seed(0))
    assert module.beta.mean().item() == pytest.approx(1, abs=0.01)
    assert module.beta.std().item() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("per_layer", ["true", "false"])
def test_beta_quantities(seeds: int, per_layer: str, trained: Callable[..., Trained]) -> None:
    words = (
        "activation=esp",
        "activation.beta_std=0.5",
        f"activation.per_layer={per_layer}",
        "trainer.steps=4",
        "diagnostics.quantities=[beta,beta_units]",
        "diagnostics.histogram=0",
        f"replicas={seeds}",
    )
    run = trained(*words)
    rows = pd.read_csv(run.folder / "layers.csv")
    assert {0, 4} <= set(rows["step"])
    last = rows[rows["step"] == 4]
    units = 1 if per_layer == "true" else 8
    for layer, name, count in (
        ("hidden.0", "hidden.0.activation.function.beta", units),
        ("hidden.1", "hidden.1.activation.function.beta", units),
    ):
        for seed in range(seeds):
            values = run.state["parameters"][name].double()
            values = values[seed] if seeds > 1 else values
            own = last[(last["seed"] == seed) & (last["layer"] == layer)]
            found = dict(zip(own["quantity"], own["value"], strict=True))
            assert [found[f"beta_{i:03d}"] for i in range(count)] == pytest.approx(values.tolist())
            assert found["beta_mean"] == pytest.approx(values.mean().item())
            assert found["beta_std"] == pytest.approx(values.std(correction=0).item(), abs=1e-12)
            assert (found["beta_min"], found["beta_max"]) == pytest.approx((values.min().item(), values.max().item()))
            assert len(own) == 4 + count


@pytest.mark.parametrize(
    ("wanted", "names", "same"),
    [
        ("beta", {"beta_mean", "beta_std", "beta_min", "beta_max"}, {"beta_mean", "beta_min", "beta_max"}),
        ("beta_units", {"beta_000", "beta_001"}, {"beta_000"}),
    ],
)
def test_beta_of_the_output_is_told_with_its_layer(wanted: str, names: set[str], same: set[str]) -> None:
    one = case(*ONE_LAYER, "architecture.width=2", *ESP)
    taught = learner([one.module], (0,), one.task, torch.device("cpu"), Execution("float64"))
    parameters = {k: v[None] for k, v in taught.parameters.items()}
    traces = taught.probe(one.batch.x, one.batch.y)
    rows = list(of_layers(taught.layers, traces, parameters, [wanted], 0))
    assert {quantity for layer, _, quantity, _ in rows if layer == "hidden.0"} == names
    output = {quantity: value.item() for layer, depth, quantity, value in rows if (layer, depth) == ("output", 2)}
    assert output.pop("beta_std", 0.0) == 0
    assert output == dict.fromkeys(same, one.module.activation.function.beta.item())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("architecture.output_beta_std=0.1", ["output_beta_std is about architecture.output_beta, which is null"]),
        ("architecture.output_beta=1 architecture.activate_output=true", ["two things behind the output layer"]),
        ("architecture.output_beta=1 architecture.output_beta_std=-1", ["architecture.output_beta_std", "0"]),
        ("architecture.output_beta=nan", ["architecture.output_beta must be a finite number"]),
        ("activation=esp activation.fixed=perhaps", ["activation.fixed must be true or false"]),
        ("activation=esp activation.per_layer=3", ["activation.per_layer must be true or false"]),
    ],
)
def test_mistakes(words: str, parts: list[str], cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    said = cli("train", *tiny, *words.split()).mistake
    assert all(part in said for part in parts), said
