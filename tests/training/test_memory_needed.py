"""What cannot fit into memory is refused before any of it is taken; what fits is not."""

import resource
from pathlib import Path

import pytest
import torch

from repro import memory
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets import from_arrays
from repro.errors import UserError
from repro.study.experiment import load
from repro.training import cost
from repro.training.cost import MemoryEstimate, check_settings
from repro.training.prepare import Prepared, blank_inputs, prepare

GB = 10**9
HUGE = 10**12
REFUSED = {
    "width": (["architecture.width=200000"], r"architecture\.width=\d+ could fit|architecture\.width=\d+ or"),
    "a width beyond counting": (
        [f"architecture.width={HUGE}"],
        r"more bytes than can be counted.*architecture\.width=",
    ),
    "depth": ([f"architecture.depth={HUGE}", "architecture.width=7"], r"architecture\.depth=\d+ "),
    "replicas": (["replicas=1000000"], r"replicas=1000000.* replicas=\d+"),
    "replicas beyond anything": ([f"replicas={HUGE}"], rf"replicas={HUGE} needs .*; replicas=\d+ could fit"),
    "bins": ([f"diagnostics.histogram={GB}"], r"diagnostics\.histogram=1000000000 needs 100 GB"),
    "measurements": ([f"trainer.epochs={HUGE}", "diagnostics.every=1"], r"diagnostics\.every=1 measures"),
    "log-spaced": ([f"diagnostics.log_spaced={HUGE}"], rf"diagnostics\.log_spaced={HUGE} measures"),
    "samples": (["dataset=circles", f"dataset.train_size={HUGE}"], rf"dataset\.train_size={HUGE} needs 8 TB"),
    "many samples": (["dataset=circles", f"dataset.test_size={2 * GB}"], r"dataset\.test_size=\d+ could fit"),
    "features": (["dataset=gaussian_noise", f"dataset.features={HUGE}"], rf"dataset\.features={HUGE}"),
    "rows of a memory": (
        ["architecture=ntm", "dataset=associative_recall", "task=recall", "architecture.rows=1000000"],
        r"architecture\.rows=\d+ or trainer\.batch_size=\d+ could fit",
    ),
    "a batch without end": (
        ["architecture=lstm_classifier", "dataset=unique_numbers", f"trainer.batch_size={HUGE}"],
        r"; trainer\.batch_size=\d+ could fit",
    ),
}


@pytest.fixture(autouse=True)
def eight_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same machine everywhere."""
    for module in (cost, from_arrays):
        monkeypatch.setattr(module, "machine", lambda: 8.0 * GB)


def prepared(words: list[str]) -> Prepared:
    return prepare(resolve(compose(words)))


@pytest.mark.parametrize(("words", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_fit_is_refused_in_a_line(words: list[str], says: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=says) as told:
        prepared(words).learner()
    assert "\n" not in str(told.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB; imports and data included


def estimated(words: list[str]) -> float:
    ready = prepared(words)
    return MemoryEstimate(ready.run, ready.components, ready.data, blank_inputs(ready.feed))({})


def test_an_estimate_is_what_tensors_take() -> None:
    """Weights, gradients and two numbers of Adam, and what five layers put out for a batch, by hand."""
    words = ["architecture.depth=4", "architecture.width=30", "optimizer=adam", "trainer.batch_size=50", "replicas=3"]
    parameters = 64 * 30 + 30 + 3 * (30 * 30 + 30) + 30 * 10 + 10
    states = 2 * parameters  # the counter of steps is left out
    values = 50 * (4 * 30 + 10)
    assert estimated(words) == 3 * 4 * (2 * parameters + states + values)
    assert estimated([*words[:-1], "replicas=1"]) == estimated(words) / 3
    assert estimated([*words[:-1], "trainer.precision=float64"]) == estimated(words) / 3 * 2


def test_a_deep_net_is_estimated_from_shallower_ones() -> None:
    """Exactly, since every further layer is as large as the one before."""
    width, depth = 5, 1000
    parameters = 64 * width + width + (depth - 1) * (width * width + width) + width * 10 + 10
    values = 64 * (depth * width + 10)
    words = [f"architecture.depth={depth}", f"architecture.width={width}", "optimizer.momentum=0"]
    assert estimated(words) == 4 * (2 * parameters + values)


def test_an_estimate_is_below_what_is_taken() -> None:
    words = ["architecture.width=1500", "architecture.depth=3", "replicas=2", "optimizer.momentum=0"]
    needed = estimated(words)
    learner = prepared(words).learner()
    weights = sum(p.numel() * p.element_size() for p in learner.parameters.values())
    assert needed / 2.2 < weights < needed


@pytest.mark.parametrize(
    "name",
    ["noisy_activations/penn_treebank", "linear_backprop/cifar10", "esp_mean_field/mnist", "esp_mean_field/linear"],
)
def test_the_largest_studies_are_accepted(name: str) -> None:
    """On a small machine of eight gigabytes; data that need no file."""
    for job in load(name).jobs("published")[::7]:
        check_settings(resolve(compose(job.overrides)))


def test_estimating_draws_and_keeps_nothing() -> None:
    ready = prepared(["architecture=cnn", "dataset=digits", "architecture.channels=[4]"])
    state = torch.random.get_rng_state()
    estimate = MemoryEstimate(ready.run, ready.components, ready.data, blank_inputs(ready.feed))
    estimate({})
    assert torch.equal(state, torch.random.get_rng_state())
    assert not ready.components.layer_factory.asked_for  # type: ignore[union-attr]


def test_what_takes_much_is_said_beforehand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepared(["architecture.width=50"])
    ready.learner()
    assert "memory" not in capsys.readouterr().err
    monkeypatch.setattr(cost, "machine", lambda: 500_000.0)
    ready.learner()
    assert "of memory or more (" in capsys.readouterr().err


def test_the_machine_has_what_its_files_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limit").write_text("123456789\n")
    (tmp_path / "none").write_text("max\n")
    installed = memory._installed()
    assert installed > GB / 4
    for files, expected in ((["limit"], 123456789), (["none"], installed), (["missing", "limit"], 123456789)):
        monkeypatch.setattr(memory, "CGROUPS", [str(tmp_path / name) for name in files])
        memory.machine.cache_clear()
        assert memory.machine() == expected
    memory.machine.cache_clear()


def test_amounts_are_said_in_three_digits() -> None:
    assert [memory.said(x) for x in (0, 999, 12_345, 2.2e9, 8e12, 1e17, float("inf"))] == [
        *("0 bytes", "999 bytes", "12.3 kB", "2.2 GB", "8 TB", "100,000 TB", "more bytes than can be counted")
    ]


def test_the_greatest_that_fits() -> None:
    for edge in (1, 7, 99, 12_345, 10**9):
        found = memory.greatest(1, 10**12, lambda n, edge=edge: n <= edge)  # type: ignore[misc]
        assert found is not None
        assert found <= edge < found * 1.15 + 1
    assert memory.greatest(1, 10, lambda n: n < 0) is None
