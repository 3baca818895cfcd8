"""Stacked replicas against the same seeds trained one by one.

In float64, where the two may differ by rounding alone: after a few steps by less than 1e-8 of a value (or 1e-10).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conftest import equal
from repro.config.compose import compose
from repro.config.groups import option_files
from repro.config.run import resolve
from repro.datasets.memory import Data, Split
from repro.datasets.protocol import Batch, Order
from repro.errors import UserError
from repro.model.activations.noise import NoiseSource
from repro.model.backward import exact
from repro.procedures.train import Train
from repro.storage.tables import read
from repro.tasks import Classification
from repro.training import prepare
from repro.training import replicas as learner
from repro.training.captured import record, recordable
from repro.training.loop import Loop
from repro.training.optimization import make_optimizer
from repro.training.replicas import Stacked, net_of

SEEDS = 3
# A bias before batch norm has no gradient but rounding, which Adam makes larger; how large depends on the processor.
CLOSE = {"rtol": 1e-8, "atol": 1e-9}
# Batches of 16, 16 and 8, twice: the smaller last one is stacked on its own.
SMALL = (
    "dataset=xor",
    "dataset.train_size=40",
    "dataset.valid_size=8",
    "dataset.test_size=8",
    "architecture.width=6",
    "architecture.depth=2",
    "trainer.epochs=2",
    "trainer.batch_size=16",
    "diagnostics.probe=20",
    "diagnostics.log_spaced=1",
    "diagnostics.histogram=4",
)
CNN = (
    "architecture=cnn",
    "architecture.channels=[2,3]",
    "architecture.hidden=[5]",
    "dataset=digits",
    "dataset.subset=40",
    "dataset.valid_size=8",
    "dataset.test_size=8",
)
PLAIN = [word for word in SMALL if not word.startswith(("architecture", "dataset"))]

ONE_BY_ONE = [
    *(f"activation={name}" for name in option_files("activation")),
    *(f"activation=noisy_tanh activation.noise={name}" for name in ("nah", "nani", "nanis", "nanil", "nanil_softplus")),
    *(f"initialization={name}" for name in option_files("initialization") if name != "constant"),
    "initialization=constant diagnostics=none",  # its gradients vanish but for rounding
    *(f"optimizer={name}" for name in option_files("optimizer") if name != "lbfgs"),
    *(f"normalization={name}" for name in option_files("normalization")),
    *(f"schedule={name}" for name in option_files("schedule") if name != "plateau"),
    *(f"backward={name}" for name in option_files("backward")),
    *(f"trainer.{key}={value}" for key, value in (("l2", 0.1), ("l1", 0.01), ("clip_norm", 0.1), ("clip_value", 0.01))),
    "architecture.dropout=0.3",
    "architecture.input_noise=0.3",
    "architecture.bias=false",
    "architecture.depth=0",
    "architecture.activate_output=true",
    "trainer.batch_size=null",
    "trainer.batch_size=39",  # a last batch of one sample is left out
    "trainer.batch_size=1 trainer.steps=5",
]
TOGETHER = [
    # Without biases, which before batch norm have a gradient of nothing but rounding.
    "activation=noisy_tanh normalization=batch architecture.bias=false architecture.dropout=0.2 optimizer=adam",
    "activation=noisy_sigmoid activation.noise=nanil normalization=layer backward=linear trainer.clip_norm=0.5",
    "activation=esp initialization=orthogonal optimizer=adamw normalization=batch trainer.clip_norm=0.05",
    "activation=relu initialization=he optimizer=rmsprop normalization=batch architecture.bias=false",
    "activation=gelu initialization=sparse optimizer=adagrad trainer.l1=0.01 trainer.clip_value=0.1",
    "activation=hard_tanh backward=linear optimizer=sgd optimizer.nesterov=true optimizer.weight_decay=0.1",
    "activation=softplus normalization=layer optimizer=adam optimizer.weight_decay=0.1 architecture.dropout=0.5",
    "activation=elu initialization=lecun optimizer=adadelta trainer.batch_size=null trainer.l2=0.1 schedule=cosine",
    "initialization=zeros normalization=batch optimizer=adam",
]
CONVOLUTIONS = [
    "",
    "normalization=batch optimizer=adam",
    "normalization=layer activation=relu",
    "activation=noisy_tanh normalization=batch architecture.dropout=0.2",
    "activation=esp",
    "architecture.stride=2",
]


@pytest.fixture(autouse=True)
def _recorded_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "WARM_UP", 2)


@pytest.fixture
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def loops(words: Sequence[str], data: Data | None = None) -> tuple[Loop, list[Loop]]:
    """The stacked loop and those of its seeds, none of them started."""
    run = resolve(compose(words))
    parts = prepare.components(run)
    device = torch.device("cpu")
    if data is None:
        data, _ = prepare.read_data(run, parts, device)
        assert isinstance(data, Data)

    def split(of: Split) -> Split:
        return Split(of.x.to(torch.get_default_dtype()), of.y)

    data = replace(data, train=split(data.train), valid=split(data.valid), test=split(data.test))

    def one(**changes: int) -> Loop:
        changed = replace(run, settings=run.settings | changes)
        trainer = run.trainer
        feed = data.feed(
            Order(
                changed.seeds,
                trainer.batch_size,
                device,
                trainer.steps,
                trainer.epochs,
                dtype=torch.get_default_dtype(),
            )
        )
        return Train()(prepare.Prepared(changed, device, parts, data, feed))

    return one(replicas=SEEDS), [one(seed=run.settings["seed"] + i) for i in range(SEEDS)]


def finish(loop: Loop) -> Loop:
    loop.start()
    while not loop.finished:
        loop.advance()
    return loop


def assert_same(stacked: Loop, singles: list[Loop], replicas: Sequence[int] = range(SEEDS)) -> None:
    """Parameters, running statistics, noise and everything that was written down."""
    for i, single in zip(replicas, singles, strict=True):
        assert stacked.step == single.step
        for kind in ("parameters", "buffers"):
            ours, theirs = getattr(stacked.learner, kind), getattr(single.learner, kind)
            torch.testing.assert_close(
                {k: v[i].detach() for k, v in ours.items()}, {k: v.detach() for k, v in theirs.items()}, **CLOSE
            )
        generators = [taught.noise.generators for taught in (stacked.learner, single.learner)]
        assert torch.equal(generators[0][i].get_state(), generators[1][0].get_state())
        (seed,) = single.learner.seeds
        for table in ("curves", "layers"):
            ours = [row for row in getattr(stacked.rows, table) if row[0] == seed]
            theirs = getattr(single.rows, table)
            assert [row[:-1] for row in ours] == [row[:-1] for row in theirs]
            np.testing.assert_allclose([row[-1] for row in ours], [row[-1] for row in theirs], rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("words", [*ONE_BY_ONE, *TOGETHER])
def test_a_stacked_replica_is_its_seed_trained_alone(words):
    stacked, singles = loops([*SMALL, *words.split()])
    start = {k: v.detach().clone() for k, v in stacked.learner.parameters.items()}
    assert_same(finish(stacked), [finish(single) for single in singles])
    stuck = words.startswith(("initialization=zeros", "initialization=constant"))
    for name, value in stacked.learner.parameters.items():
        if name == "output.weight" and not stuck:
            assert not torch.allclose(value[0], value[1])  # or the comparison would say little
            assert not torch.equal(value, start[name])


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("words", CONVOLUTIONS)
def test_so_is_a_convolutional_one(words):
    stacked, singles = loops([*PLAIN, *CNN, *words.split()])
    assert_same(finish(stacked), [finish(single) for single in singles])


@pytest.mark.usefixtures("_float64")
def test_so_is_a_regression():
    x = torch.linspace(-1, 1, 40)[:, None]
    split = Split(x, torch.cat([x.sin(), x.cos()], 1))
    stacked, singles = loops([*SMALL, "task=regression"], Data(split, split, split, outputs=2, name="curve"))
    assert_same(finish(stacked), [finish(single) for single in singles])


@pytest.mark.parametrize(
    "words",
    [
        "",
        "normalization=batch architecture.bias=false",
        "activation=noisy_tanh",
        "trainer.clip_norm=0.1 architecture.dropout=0.2",
    ],
)
@pytest.mark.usefixtures("_float64")
def test_a_diverging_replica_disturbs_no_other(words):
    stacked, singles = loops([*SMALL, "trainer.epochs=4", *words.split()])
    for loop in (stacked, singles[1]):
        loop.start()
        for _ in range(4):
            loop.advance()
    with torch.no_grad():
        stacked.learner.parameters["output.weight"][1] = torch.inf
        singles[1].learner.parameters["output.weight"].fill_(torch.inf)
    while not stacked.finished:
        stacked.advance()
    while not singles[1].finished:
        singles[1].advance()
    assert stacked.step == stacked.total
    assert singles[1].step < singles[1].total
    assert stacked.diverged == {1: singles[1].step}
    assert_same(stacked, [finish(singles[0]), finish(singles[2])], [0, 2])
    seed = singles[1].learner.seeds[0]
    for table in ("curves", "layers"):
        rows = [row[:-1] for row in getattr(stacked.rows, table) if row[0] == seed]
        assert rows == [row[:-1] for row in getattr(singles[1].rows, table)]


def test_the_tables_hold_a_row_for_each_seed_as_if_trained_alone(trained):
    # Of nets in float32, through files; shares of the histogram move by whole samples.
    together, words = trained("replicas=3", "seed=4", "activation=noisy_tanh"), ("activation=noisy_tanh",)
    for seed in (4, 5, 6):
        alone = trained(f"seed={seed}", *words)
        for name in ("curves.csv", "layers.csv"):
            ours, theirs = read(together.folder / name), read(alone.folder / name)
            ours = ours[ours["seed"] == seed].reset_index(drop=True)
            assert len(ours) == len(theirs) > 0
            keys = [key for key in ours if key not in ("run", "value")]
            assert ours[keys].equals(theirs[keys])
            np.testing.assert_allclose(ours["value"], theirs["value"], rtol=1e-3, atol=1e-2)
        metrics = [run.summary["metrics"][str(seed)] for run in (together, alone)]
        assert metrics[0].keys() == metrics[1].keys()
        assert metrics[0]["test_loss"] == pytest.approx(metrics[1]["test_loss"], rel=1e-4)
    assert together.summary["statuses"] == {"4": "done", "5": "done", "6": "done"}


@pytest.mark.parametrize(
    ("word", "named"), [("schedule=plateau", "schedule=plateau"), ("trainer.patience=2", "trainer.patience")]
)
def test_what_needs_a_clock_of_its_own_is_refused(word, named):
    resolve(compose([*SMALL, word]))
    with pytest.raises(UserError) as caught:
        resolve(compose([*SMALL, word, "replicas=2"]))
    assert f"{named} does not go with replicas=2" in str(caught.value)
    assert "-m seed=range(2)" in str(caught.value)


QUIET = [f"activation={name}" for name in option_files("activation") if "noisy" not in name]
EXACT = (
    "normalization=batch optimizer=adam",
    "normalization=layer",
    "backward=linear",
    "architecture.depth=5 trainer.l2=0.1",
    "trainer.batch_size=null",
)


# What makes resuming exact: a run that goes on starts with unrecorded steps.
@pytest.mark.parametrize("words", [*QUIET, *EXACT])
def test_a_recorded_step_is_the_step_to_the_last_bit(words, monkeypatch):
    assert_recording_changes_nothing([*SMALL, *words.split()], monkeypatch)


@pytest.mark.parametrize("words", ["", "normalization=batch", "activation=relu normalization=layer"])
def test_so_is_a_recorded_convolution(words, monkeypatch):
    assert_recording_changes_nothing([*PLAIN, *CNN, *words.split()], monkeypatch)


def assert_recording_changes_nothing(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for warm_up in (0, 10**9):
        monkeypatch.setattr(learner, "WARM_UP", warm_up)
        loop = finish(loops([*words, "diagnostics=none", "trainer.steps=4"])[0])
        assert isinstance(loop.learner, Stacked)
        assert bool(loop.learner.recorded) == (warm_up == 0)
        states.append({k: v for k, v in loop.state().items() if k != "seconds"})
    assert equal(*states)


class Foreign(nn.Tanh):
    """Of a package that nobody has looked at."""


def test_only_nets_without_noise_and_of_known_parts_are_recorded():
    task = Classification()
    assert recordable(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), task, partial(exact))
    assert not recordable(nn.Sequential(nn.Linear(2, 2), Foreign()), task)
    assert not recordable(nn.Tanh(), task, lambda function, a: function(a))
    for words, sound in (
        ("activation=tanh", True),
        ("activation=noisy_tanh", False),
        ("architecture.dropout=0.1", False),
    ):
        stacked = loops([*SMALL, words])[0].learner
        assert isinstance(stacked, Stacked)
        assert stacked.recordable is sound


def test_a_record_runs_on_other_values_and_changes_what_the_function_changes():
    def function(total: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        total.add_(x * 1)
        return ((x.unsqueeze(0).expand(1, 3).transpose(0, 1).transpose(0, 1) * 2).view(3), total.sum())

    run = record(function, [torch.zeros(3), torch.ones(3)])
    total, x = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    doubled, summed = run(total, x)
    assert doubled.tolist() == [8, 10, 12]
    assert summed.item() == 21
    assert total.tolist() == [5, 7, 9]
    assert x.tolist() == [4, 5, 6]


class Shared(nn.Module):
    """The gradients of its shifts come out as one and the same tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Parameter(torch.randn(3)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.one + self.two)


class Repeated(nn.Module):
    """The gradient of its factors comes out as one number that is read many times."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.randn(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors.sum()


@pytest.mark.parametrize("net", [Shared, Repeated])
@pytest.mark.parametrize("warm_up", [0, 9], ids=["recorded", "not recorded"])
def test_gradients_lie_in_memory_as_parameters_do_and_are_tensors_of_their_own(net, warm_up, monkeypatch):
    monkeypatch.setattr(learner, "WARM_UP", warm_up)
    taught = Stacked([net(), net()], (0, 1), Classification(), NoiseSource([]))
    taught.recordable = True
    taught.gradients(Batch(torch.randn(2, 4, 3), torch.zeros(2, 4, dtype=torch.int64)))
    gradients = [value.grad for value in taught.parameters.values()]
    # Fused optimizers walk through memory; penalties and clipping change gradients in place.
    assert all(gradient.is_contiguous() for gradient in gradients)
    gradients[0].zero_()
    assert all(gradient.abs().min() > 0 for gradient in gradients[1:])


@pytest.mark.parametrize("name", [name for name in option_files("optimizer") if name != "lbfgs"])  # it has none
def test_fused_kernels_move_parameters_as_the_plain_ones_do(name):
    torch.manual_seed(0)
    start, moves = [torch.randn(4, 3), torch.randn(4)], [[torch.randn(4, 3), torch.randn(4)] for _ in range(3)]
    factory = prepare.components(
        resolve(compose([*SMALL, f"optimizer={name}", "optimizer.weight_decay=0.5"]))
    ).optimizer
    ends = []
    for chosen in (factory, partial(factory, foreach=False)):
        weight, bias = (v.clone().requires_grad_() for v in start)
        optimizer = make_optimizer(chosen, [weight], [bias], torch.device("cpu"))
        for move in moves:
            weight.grad, bias.grad = (v.clone() for v in move)
            optimizer.step()
        ends.append([weight.detach(), bias.detach()])
        assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0]
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)
    assert not torch.equal(ends[0][0], start[0])


@pytest.mark.parametrize("count", [1, 2])
def test_a_replica_by_itself_is_the_net_that_went_in(count: int) -> None:
    def made(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        net[1].running_mean.normal_()
        net.register_buffer("unsaved", torch.randn(2), persistent=False)
        return net

    whole = learner.learner([made(i) for i in range(count)], range(count), Classification(), torch.device("cpu"))
    for i in range(count):
        found, expected = (dict([*net.named_parameters(), *net.named_buffers()]) for net in (net_of(whole, i), made(i)))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        assert all(found[name].data_ptr() != v.data_ptr() for name, v in whole.module.named_parameters())
