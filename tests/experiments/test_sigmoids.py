"""Classes told by independent sigmoid outputs, against what the definitions say sample by sample."""

import math

import pytest
import torch
from torch.func import vmap

from loading import load
from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.experiments.esp_mean_field.tasks.sigmoids import Sigmoids
from repro.training.prepare import components


def random_outputs(outputs, samples=9, scale=2.0):
    rng = torch.Generator().manual_seed(0)
    return scale * torch.randn(samples, outputs, generator=rng, dtype=torch.float64)


def by_hand(logits, wanted):
    """Mean binary cross-entropy, share of residuals of at most 1e-5, over all samples and outputs."""
    losses, zeros = [], []
    for row, rights in zip(logits.tolist(), wanted, strict=True):
        for logit, right in zip(row, rights, strict=True):
            p = 1 / (1 + math.exp(-logit))
            losses.append(-math.log(p if right else 1 - p))
            zeros.append(abs(p - right) <= 1e-5)
    return sum(losses) / len(losses), sum(zeros) / len(zeros)


def test_one_output_for_two_classes():
    task = Sigmoids(None)
    assert task.outputs(2) == 1
    logits, y = random_outputs(1, scale=9.0), torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1])
    found = task.measure(logits, y)
    loss, zeros = by_hand(logits, [[c] for c in y.tolist()])
    assert found["loss"].item() == pytest.approx(loss)
    assert found["zero_residuals"].item() == pytest.approx(zeros)
    assert 0 < zeros < 1
    right = [(logit > 0) == bool(c) for (logit,), c in zip(logits.tolist(), y.tolist(), strict=True)]
    assert found["accuracy"].item() == pytest.approx(sum(right) / 9)
    assert task.read(logits).tolist() == [int(logit > 0) for (logit,) in logits.tolist()]


@pytest.mark.parametrize("shifted", [None, False, True])
def test_one_output_a_class(shifted):
    task = Sigmoids(shifted)
    assert task.outputs(4) == 4
    logits, y = random_outputs(4, scale=9.0), torch.tensor([0, 1, 2, 3, 3, 2, 1, 0, 0])
    wanted = [[int(k == c - bool(shifted)) for k in range(4)] for c in y.tolist()]
    loss, zeros = by_hand(logits, wanted)
    found = task.measure(logits, y)
    assert found["loss"].item() == pytest.approx(loss)
    assert found["zero_residuals"].item() == pytest.approx(zeros)
    right = [
        max(range(4), key=row.__getitem__) == rights.index(max(rights))
        for row, rights in zip(logits.tolist(), wanted, strict=True)
    ]
    assert found["accuracy"].item() == pytest.approx(sum(right) / 9)


@pytest.mark.parametrize(("logit", "share"), [(11.5129, 0), (11.51292, 1), (-11.5129, 0), (-11.51292, 1)])
def test_the_residual_that_counts_as_zero(logit, share):
    # sigmoid(-ln(1e5 - 1)) = 1e-5, and ln(1e5 - 1) = 11.512915...
    found = Sigmoids(None).measure(torch.full((1, 1), logit, dtype=torch.float64), torch.tensor([int(logit > 0)]))
    assert found["zero_residuals"].item() == share


def test_confident_outputs_have_a_finite_loss():
    logits = torch.tensor([[800.0], [-800.0]], dtype=torch.float64, requires_grad=True)
    scores = Sigmoids(None).measure(logits, torch.tensor([0, 1]))
    assert scores["loss"].item() == pytest.approx(800)
    scores["loss"].backward()
    assert logits.grad.flatten().tolist() == [0.5, -0.5]


def test_the_slip_puts_a_ceiling_on_the_accuracy_of_digits():
    """Nets that tell all other digits and call no zero a one, as the authors' did: their saved accuracies."""
    data = load("authors_digits")
    for split, saved in ((data.train, 0.89492), (data.test, 0.925)):
        outputs = torch.full((len(split), 10), -9.0, dtype=torch.float64)
        outputs[:, 9] = -8.0  # the last output is wanted for nothing
        others = split.y != 0
        outputs[others, split.y[others] - 1] = 9.0
        assert Sigmoids(True).measure(outputs, split.y)["accuracy"].item() == pytest.approx(saved, abs=1e-5)
        assert saved == pytest.approx(1 - (split.y == 0).double().mean().item(), abs=1e-5)
        # Outputs that are right without the slip are all wrong with it, but for zeros, which count as ones.
        plain = 18.0 * torch.nn.functional.one_hot(split.y, 10).double() - 9
        assert Sigmoids(None).measure(plain, split.y)["accuracy"].item() == 1
        assert Sigmoids(True).measure(plain, split.y)["accuracy"].item() == pytest.approx(1 - saved, abs=1e-5)


def test_maps_over_replicas():
    logits, y = random_outputs(3), torch.arange(9) % 3
    stacked = vmap(Sigmoids(True).measure)(torch.stack([logits, -logits]), torch.stack([y, y.flip(0)]))
    for i, (output, target) in enumerate([(logits, y), (-logits, y.flip(0))]):
        for name, value in Sigmoids(True).measure(output, target).items():
            assert stacked[name][i].item() == pytest.approx(value.item())


@pytest.mark.parametrize("target", [torch.zeros(3), torch.zeros(3, 2), torch.zeros(3, 2, dtype=torch.int64)])
def test_needs_one_class_a_sample(target):
    with pytest.raises(UserError, match=r"task=sigmoids needs one class a sample.*\bsome\b.*repro list task"):
        Sigmoids(None).check(target, "some")
    Sigmoids(None).check(torch.tensor([0, 1]), "some")


def test_a_run_with_sigmoid_outputs(trained):
    run = trained(
        "task=sigmoids",
        "diagnostics.predictions=[test]",
        "trainer.steps=30",
        "optimizer.lr=1",
        "trainer.precision=float64",
    )
    assert run.state["parameters"]["output.weight"].shape == (1, 8)
    metrics = run.summary["metrics"]["0"]
    assert {"train_zero_residuals", "test_zero_residuals", "best_valid_loss"} <= metrics.keys()
    rows = [line.split(",") for line in (run.folder / "predictions.csv").read_text().split()[1:]]
    assert sum(row[-1] == row[-2] for row in rows) / 16 == pytest.approx(metrics["test_accuracy"])


def test_the_file_says_what_the_task_is():
    task = components(resolve(compose(["task=sigmoids", "task.shifted=true"]))).task
    assert task.shift == 1
    assert components(resolve(compose(["task=sigmoids"]))).task.shift == 0
