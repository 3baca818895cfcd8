"""Running text: streams, windows, the language model's task, and what is carried from window to window."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from loading import load, need_mirror
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.penn_treebank import TOKENS, words
from repro.datasets.protocol import Order
from repro.datasets.text import Text, Windows, cut
from repro.errors import UserError
from repro.procedures.train import Train
from repro.tasks import IGNORED, MANY
from repro.tasks import Sequence as SequenceTask
from repro.tasks.cross_entropy import SummedCrossEntropy
from repro.training import prepare
from repro.training.evaluation import evaluate
from repro.training.loop import Loop

VOCABULARY = 13


def text(train: int = 103, valid: int = 41, test: int = 30, window: int = 4) -> Text:
    rng = np.random.default_rng(0)
    parts = zip(("train", "valid", "test"), (train, valid, test), strict=True)
    splits = {name: torch.from_numpy(rng.integers(VOCABULARY, size=size)) for name, size in parts}
    return Text("made_up", splits, VOCABULARY, window)


def order(streams: int | None = 3, seeds: Sequence[int] = (0,)) -> Order:
    return Order(seeds, streams)


def test_cut_by_hand() -> None:
    # 11 tokens in 3 streams of 3: starts at 0, 11/3 = 3.67 -> 4, 22/3 = 7.33 -> 7.
    assert cut(torch.arange(11), 3).tolist() == [[0, 1, 2], [4, 5, 6], [7, 8, 9]]
    # Halves go up: 2.5 -> 3.
    assert cut(torch.arange(5), 2).tolist() == [[0, 1], [3, 4]]


def test_windows_follow_one_another_and_targets_are_the_next_tokens() -> None:
    feed = Windows(text(), order())
    stream = cut(text().splits["train"], 3)
    assert feed.per_epoch == (34 - 1) // 4
    for step in range(2 * feed.per_epoch):
        batch = feed.batch(step)
        first = step % feed.per_epoch * 4
        assert batch.fresh == (first == 0)
        assert torch.equal(batch.x[0], stream[:, first : first + 4])
        assert torch.equal(batch.y[0], stream[:, first + 1 : first + 5])


def test_evaluation_reads_validation_in_streams_and_test_as_one() -> None:
    feed = Windows(text(), order())
    valid = list(feed.batches("valid"))
    assert [b.x.shape for b in valid] == [(3, 4)] * 3  # 13 tokens a stream: 3 windows, one token is left out
    assert [b.fresh for b in valid] == [True, False, False]
    test = list(feed.batches("test"))
    assert torch.cat([b.y for b in test], 1).tolist() == [text().splits["test"][1:].tolist()]
    assert list(feed.batches("train")) == []


def test_streams_too_short_for_a_window() -> None:
    with pytest.raises(UserError, match=r"trainer.batch_size=30 streams of 3 tokens are too short"):
        text().feed(order(30))


def test_a_text_has_no_curriculum() -> None:
    with pytest.raises(UserError, match="curriculum=null"):
        text().feed(replace(order(), curriculum=object()))


# ---- the task ----


@pytest.mark.parametrize("classes", [7, MANY + 1])
def test_scores_are_means_over_predictions_and_the_objective_is_their_sum_over_the_batch(classes: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 6, classes, dtype=torch.float64).requires_grad_()
    target = torch.randint(classes, (4, 6))
    target[0, 2:] = IGNORED
    task = SequenceTask(accuracy=True)
    scores = task.measure(logits, target)
    kept = target != IGNORED
    slow = -torch.log_softmax(logits, -1)[kept].gather(1, target[kept][:, None])
    torch.testing.assert_close(scores["loss"], slow.mean())
    assert scores["accuracy"] == (logits.argmax(-1)[kept] == target[kept]).double().mean()
    assert task.count(target) == 20
    objective = task.objective(scores, target)
    torch.testing.assert_close(objective, slow.sum() / 4)
    (ours,) = torch.autograd.grad(objective, logits)
    logits.grad = None
    steps = [
        functional.cross_entropy(logits[:, t], target[:, t], ignore_index=IGNORED, reduction="sum") / 4
        for t in range(6)
    ]
    (theirs,) = torch.autograd.grad(sum(steps), logits)
    torch.testing.assert_close(ours, theirs)


def test_perplexity_is_e_to_the_mean_loss() -> None:
    assert SequenceTask(False).derive({"loss": np.array([0.0, math.log(50)])})["perplexity"].tolist() == (
        pytest.approx([1, 50])
    )


def test_a_window_without_predictions_counts_nothing() -> None:
    task, target = SequenceTask(True), torch.full((2, 3), IGNORED)
    scores = task.measure(torch.randn(2, 3, 5), target)
    assert task.count(target) == 0
    assert scores["loss"] == 0
    assert task.objective(scores, target) == 0


@pytest.mark.parametrize("rows", [1, 16, 37])
def test_cross_entropy_of_our_own_is_torch_s(rows: int) -> None:
    torch.manual_seed(1)
    logits = (20 * torch.randn(rows, 50, dtype=torch.float64)).requires_grad_()
    target = torch.randint(-1, 50, (rows,))
    ours = SummedCrossEntropy.apply(logits, target)
    theirs = functional.cross_entropy(logits, target, ignore_index=-1, reduction="sum")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(3 * ours, logits), torch.autograd.grad(3 * theirs, logits))


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    logits = torch.tensor([[1e4, 0.0], [-1e4, 0.0]], requires_grad=True)
    loss = SummedCrossEntropy.apply(logits, torch.tensor([0, 0]))
    assert loss.item() == 1e4
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()


def test_a_second_backward_says_what_is_wrong() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    loss = SummedCrossEntropy.apply(logits, torch.tensor([0, 1]))
    torch.autograd.grad(loss, logits, retain_graph=True)
    with pytest.raises(RuntimeError, match="once only"):
        torch.autograd.grad(loss, logits)


@pytest.mark.parametrize(
    ("dataset", "task", "says"),
    [
        ("digits", "language_model", "this task needs one class a step"),
        ("digits", "sequence", "this task needs one class a step"),
    ],
)
def test_tasks_and_data_that_do_not_go_together(dataset: str, task: str, says: str) -> None:
    run = resolve(compose([f"dataset={dataset}", f"task={task}"]))
    with pytest.raises(UserError, match=says):
        prepare.read_data(run, prepare.components(run), torch.device("cpu"))


# ---- training ----


WORDS = [
    "task=language_model",
    "architecture=lstm",
    "architecture.width=6",
    "initialization=uniform_everywhere",
    "initialization.bound=0.5",
    "trainer.batch_size=3",
    "trainer.clip_norm=1",
    "diagnostics=gates",
    "dataset=penn_treebank",
    "trainer.epochs=2",
]


def loop(*more: str, source: Text | None = None) -> Loop:
    run = resolve(compose([*WORDS, *more]))
    parts = prepare.components(run)
    data = source or text()
    feed = data.feed(Order(run.seeds, run.trainer.batch_size))
    return Train()(prepare.Prepared(run, torch.device("cpu"), parts, data, feed))


def finish(one: Loop) -> Loop:
    one.start()
    while not one.finished:
        one.advance()
    return one


@pytest.mark.parametrize("activation", ["tanh", "noisy_tanh"])
def test_state_is_carried_across_windows_but_not_across_epochs(activation: str) -> None:
    one = loop(f"activation={activation}", "activation.noise=nah" if activation == "noisy_tanh" else "seed=0")
    seen: list[Tensor] = []
    one.learner.module.stack.register_forward_pre_hook(lambda _m, args: seen.append(args[1][0].detach().clone()))
    ends: list[Tensor] = []
    for _ in range(one.per_epoch + 1):
        one._update(one.feed.batch(one.step))
        ends.append(one.learner.carried[0][0])
    assert (seen[0] == 0).all()
    assert (seen[-1] == 0).all()  # a new epoch
    for start, end in zip(seen[1:-1], ends[:-2], strict=True):
        assert torch.equal(start, end)
        assert start.abs().sum() > 0


def test_evaluation_does_not_depend_on_the_window() -> None:
    wide, narrow = (loop(source=text(window=window)) for window in (12, 3))
    narrow.learner.module.load_state_dict(wide.learner.module.state_dict())
    losses = []
    for one in (wide, narrow):
        sums = evaluate(one.learner, one.feed.batches("test"))
        assert sums["count"].tolist() == [29]
        losses.append(float(sums["loss"]) / 29)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("words", ["activation=tanh", "activation=noisy_tanh", "activation=esp"])
def test_stacked_seeds_are_the_seeds_alone(words: str) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        stacked = finish(loop(words, "replicas=2"))
        singles = [finish(loop(words, f"seed={seed}")) for seed in range(2)]
    finally:
        torch.set_default_dtype(torch.float32)
    for i, single in enumerate(singles):
        for name, value in single.learner.parameters.items():
            torch.testing.assert_close(stacked.learner.parameters[name][i], value, rtol=1e-6, atol=1e-9)
        for table in ("curves", "layers"):
            ours = [row for row in getattr(stacked.rows, table) if row[0] == i]
            theirs = getattr(single.rows, table)
            assert [row[:-1] for row in ours] == [row[:-1] for row in theirs]
            np.testing.assert_allclose([r[-1] for r in ours], [r[-1] for r in theirs], rtol=1e-5, atol=1e-8)


def test_resuming_in_the_middle_of_an_epoch_changes_nothing() -> None:
    whole = finish(loop("activation=noisy_tanh"))
    first = loop("activation=noisy_tanh")
    first.start()
    for _ in range(5):
        first.advance()
    second = loop("activation=noisy_tanh")
    second.restore(first.state())
    while not second.finished:
        second.advance()
    for name, value in whole.learner.parameters.items():
        assert torch.equal(value, second.learner.parameters[name])
    assert whole.rows.curves == first.rows.curves + second.rows.curves


def test_diagnostics_change_no_weight() -> None:
    measured = finish(loop("activation=noisy_tanh", "diagnostics.every=1"))
    unmeasured = finish(loop("activation=noisy_tanh", "diagnostics=none"))
    for name, value in measured.learner.parameters.items():
        assert torch.equal(value, unmeasured.learner.parameters[name])


# ---- Penn Treebank ----


def test_words_of_a_file() -> None:
    assert words(b" the cat <unk>\n N days \n") == ["the", "cat", "<unk>", "<eos>", "N", "days", "<eos>"]


def test_the_treebank_s_counts() -> None:
    need_mirror("ptb")
    data = load("penn_treebank")
    assert data.sizes == TOKENS
    assert data.tokens == data.outputs == 10_000
    assert torch.cat([data.splits[name] for name in TOKENS]).unique().numel() == 10_000
    train = data.splits["train"].tolist()
    assert train[:5] == [0, 1, 2, 3, 4]  # numbered by first appearance
    feed = data.feed(Order((0,), 20))
    assert feed.per_epoch == 2323
    assert sum(int(b.y.numel()) for b in feed.batches("valid")) == 184 * 20 * 20
    assert sum(int(b.y.numel()) for b in feed.batches("test")) == TOKENS["test"] - 1


def test_a_subset_with_rare_words_taken_out() -> None:
    need_mirror("ptb")
    data = load("penn_treebank", subset=120_000, min_count=3)
    assert data.sizes == TOKENS | {"train": 120_000}
    assert load("penn_treebank", held_out=50).sizes == TOKENS | {"valid": 50, "test": 50}
    counts = torch.bincount(data.splits["train"], minlength=data.tokens)
    assert counts.min() >= 3
    assert 3500 < data.tokens < 4500


def test_options_out_of_range() -> None:
    need_mirror("ptb")
    for options, says in (
        ({"window": 0}, "window"),
        ({"subset": 10**7}, "929589"),
        ({"min_count": 0}, "min_count"),
        ({"held_out": 1}, "held_out"),
    ):
        with pytest.raises(UserError, match=says):
            load("penn_treebank", **options)
