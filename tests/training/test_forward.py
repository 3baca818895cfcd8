"""A net in bfloat16, in channels-last layout and compiled, against the same net as it stands."""

import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from torch import nn

from conftest import equal, interrupt_at
from repro.config.compose import compose
from repro.config.run import resolve
from repro.procedures.train import Train
from repro.training import prepare
from repro.training.loop import Loop
from repro.training.run import Interrupted, train

SMALL = [
    "dataset=digits",
    "dataset.subset=100",
    "trainer.batch_size=20",
    "trainer.steps=8",
    "diagnostics.probe=20",
    "device=cpu",
]
CNN = [*SMALL, "architecture=cnn", "architecture.channels=[3,5]", "architecture.hidden=[8]"]
RESNET = [*SMALL, "architecture=resnet", "architecture.blocks=[1,1]", "architecture.width=3"]
MOMENTUM = ["optimizer.momentum=0.9", "optimizer.lr=0.02"]


def start(*words, net=CNN):
    run = resolve(compose([*net, *words]))
    parts, device = prepare.components(run), torch.device("cpu")
    return Train()(prepare.Prepared(run, device, parts, *prepare.read_data(run, parts, device)))


def finish(loop):
    loop.start()
    while not loop.finished:
        loop.advance()
    values = {row[1:5]: row[5] for row in [(0, *row[1:]) for row in loop.rows.curves]}
    return values, {k: v.detach().clone() for k, v in loop.learner.parameters.items()}


def assert_near(one, other, **tolerance):
    assert one[0].keys() == other[0].keys()
    for key, value in one[0].items():
        assert value == pytest.approx(other[0][key], rel=1e-4, abs=1e-4)
    for name, value in one[1].items():
        torch.testing.assert_close(other[1][name], value, **tolerance)


@pytest.mark.parametrize(
    "words",
    [[], [*MOMENTUM, "normalization=batch"], ["optimizer=adam", "activation=noisy_tanh"], ["trainer.clip_norm=0.1"]],
    ids=" ".join,
)
def test_channels_last_moves_last_bits_only(words):
    plain, laid_out = finish(start(*words)), finish(start(*words, "trainer.channels_last=true"))
    assert_near(plain, laid_out, rtol=1e-4, atol=1e-5)


def test_channels_last_holds_for_filters_gradients_and_images():
    loop = start("trainer.channels_last=true")
    seen = []
    block = loop.learner.module.blocks[1].convolution
    block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    loop.advance()
    for tensor in (block.weight, block.weight.grad, *seen):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
        assert not tensor.is_contiguous()


@pytest.mark.parametrize("words", [["backward=linear"], ["activation=relu", "normalization=batch"]], ids=" ".join)
def test_channels_last_holds_for_what_a_mean_over_places_sends_back(words):
    """Of a residual net, whose gradient all comes from there; batch norm is slow over another layout."""
    loop = start(*words, "trainer.channels_last=true", net=RESNET)
    seen = []

    def look(module, inputs, output):  # noqa: ARG001
        output.register_hook(seen.append)

    for part in loop.learner.module.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(look)
    loop.learner.gradients(loop.feed.batch(0))
    assert len(seen) == 5
    assert all(gradient.is_contiguous(memory_format=torch.channels_last) for gradient in seen)


@pytest.mark.parametrize("words", [[], ["activation=noisy_tanh"], ["normalization=layer"]], ids=" ".join)
def test_bfloat16_is_float32_to_its_precision(words):
    plain, rounded = start(*words), start(*words, "trainer.precision=bfloat16")
    batch = plain.feed.batch(0)
    ours, theirs = (loop.learner.gradients(batch) for loop in (plain, rounded))
    assert ours["loss"].dtype == theirs["loss"].dtype == torch.float32
    assert theirs["loss"].item() != ours["loss"].item()
    assert theirs["loss"].item() == pytest.approx(ours["loss"].item(), rel=0.02)
    exact, near = (torch.cat([p.grad.flatten() for p in loop.learner.parameters.values()]) for loop in (plain, rounded))
    assert near.dtype == torch.float32
    if not words:  # other noise is drawn in another precision, and a normalization of few units magnifies
        assert (near - exact).norm() < 0.05 * exact.norm()
    values, parameters = finish(rounded)
    assert all(value == value for value in values.values())
    assert {v.dtype for v in parameters.values()} == {torch.float32}


def test_accuracy_of_a_net_in_bfloat16_is_a_share_of_samples():
    loop = start("trainer.precision=bfloat16")
    accuracy = finish(loop)[0][8, 8 / loop.per_epoch, "test", "accuracy"]
    assert accuracy * 360 == pytest.approx(round(accuracy * 360), abs=1e-3)


def test_the_probe_stays_float32():
    plain, rounded = start(), start("trainer.precision=bfloat16")
    ours, theirs = (loop.learner.probe(loop.probe.x, loop.probe.y) for loop in (plain, rounded))
    assert equal(vars(ours), vars(theirs))


@pytest.mark.parametrize("how", ["trainer.channels_last=true", "trainer.precision=bfloat16", "dataset.subset=90"])
def test_resuming_is_exact(how, tmp_path, monkeypatch):
    words = [*CNN, *MOMENTUM, how]
    straight, broken = (resolve(compose([*words, f"results_dir={tmp_path / name}"])) for name in ("one", "two"))
    train(straight)
    interrupted(broken, monkeypatch)
    train(broken)
    assert (straight.folder / "curves.csv").read_text() == (broken.folder / "curves.csv").read_text()
    assert equal(state(straight), state(broken))


@pytest.mark.parametrize("optimizer", [MOMENTUM, ["optimizer=adam"]], ids=["sgd", "adam"])
@pytest.mark.parametrize("first", [True, False])
def test_a_run_may_go_on_in_another_layout(first, optimizer, tmp_path, monkeypatch):
    words = [*CNN, *optimizer, f"results_dir={tmp_path / 'two'}"]
    straight = resolve(compose([*words[:-1], f"results_dir={tmp_path / 'one'}"]))
    train(straight)
    one, other = (resolve(compose([*words, f"trainer.channels_last={last}"])) for last in (first, not first))
    assert one.folder == other.folder
    interrupted(one, monkeypatch)
    train(other)
    expected, found = (pd.read_csv(run.folder / "curves.csv")["value"] for run in (straight, other))
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4, abs=1e-5)
    for name, value in state(straight)["parameters"].items():
        torch.testing.assert_close(state(other)["parameters"][name], value, rtol=1e-4, atol=1e-5)


def interrupted(run, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3, signal.SIGTERM)
        with pytest.raises(Interrupted):
            train(run)


def state(run):
    kept = torch.load(run.folder / "checkpoint.pt", weights_only=True)["state"]
    return {k: v for k, v in kept.items() if k != "seconds"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns itself, and would take the error for its own
def test_compiling_moves_last_bits_only():
    # A compiler is started for every kernel, so the net is small.
    words = ["architecture.depth=1", "architecture.width=4", "activation=noisy_tanh", "backward=linear"]
    compiled = start(*words, "trainer.compile=true", net=SMALL)
    assert_near(finish(start(*words, net=SMALL)), finish(compiled), rtol=1e-4, atol=1e-5)
    assert isinstance(compiled.learner.call.args[0], torch._dynamo.OptimizedModule)


@pytest.mark.slow
def test_without_a_compiler_one_line_says_so(tmp_path):
    words = ["train", "dataset=xor", "trainer.compile=true", f"results_dir={tmp_path / 'results'}"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))}
    found = subprocess.run(
        [sys.executable, "-m", "repro", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
        timeout=300,
    )
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert "trainer.compile: torch.compile does not work here" in found.stderr
    assert "g++" in found.stderr
    assert not (tmp_path / "results").exists()


def test_denormals_are_zero_while_a_run_trains_and_only_then(monkeypatch, tiny, tmp_path):
    seen, advance = [], Loop.advance

    def watched(loop):
        seen.append((torch.tensor(1e-30) * 1e-10).item())
        return advance(loop)

    monkeypatch.setattr(Loop, "advance", watched)
    train(resolve(compose([*tiny, f"results_dir={tmp_path}"])))
    assert set(seen) == {0}
    assert (torch.tensor(1e-30) * 1e-10).item() > 0
