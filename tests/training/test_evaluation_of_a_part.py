"""Evaluating a part of each split: always the same samples, evenly spread, and said in the summary."""

import json

import numpy as np
import pytest
import torch

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Batch
from repro.errors import UserError
from repro.text.run import text
from repro.training import checkpoint
from repro.training.evaluation import evaluate, some
from repro.training.prepare import prepare
from repro.training.run import train


def batches(sizes: list[int]) -> list[Batch]:
    whole = torch.arange(sum(sizes))
    return [Batch(part, part) for part in torch.split(whole, sizes)]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 9, 10, 11, 1000])
@pytest.mark.parametrize("sizes", [[10], [3, 3, 3, 1], [1] * 10])
def test_samples_are_spread_whatever_the_batches(most: int, sizes: list[int]) -> None:
    found = torch.cat([batch.x for batch in some(batches(sizes), 10, most)]).tolist()
    assert found == [i * 10 // most for i in range(most)] if most < 10 else found == list(range(10))
    assert all(len(batch) for batch in some(batches(sizes), 10, most))


def test_of_data_without_a_size_the_first_are_taken() -> None:
    found = torch.cat([batch.x for batch in some(batches([4, 4, 4]), 6, 6)]).tolist()
    assert found == list(range(6))


WORDS = ["dataset=digits", "architecture.width=8", "architecture.depth=1", "trainer.steps=2", "diagnostics=none"]


@pytest.mark.parametrize("replicas", [1, 3])
def test_scores_are_those_of_these_samples(replicas: int) -> None:
    run = resolve(compose([*WORDS, "trainer.eval_samples=50", f"replicas={replicas}"]))
    loop = prepare(run).components.procedure(prepare(run))
    scored = loop.start()
    for split in ("train", "valid", "test"):
        (whole, *rest) = list(loop.feed.batches(split))
        assert not rest
        chosen = [i * len(whole) // 50 for i in range(50)]
        sums = evaluate(loop.learner, [Batch(whole.x[chosen], whole.y[chosen])])
        expected = loop.learner.task.finish({k: v.numpy() for k, v in sums.items()})
        for metric, values in expected.items():
            np.testing.assert_allclose(scored[split, metric], values, rtol=1e-6)
            assert len(values) == replicas


def test_the_summary_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    part = train(resolve(compose([*WORDS, "trainer.eval_samples=200"]))).folder
    whole = train(resolve(compose(WORDS))).folder
    summary = json.loads((part / "summary.json").read_text())
    assert summary["evaluated"] == {"train": 200, "valid": 180, "test": 200}
    assert "200 of 1,257 train, 180 of 180 valid, 200 of 360 test samples" in text(part)
    assert "evaluated" not in json.loads((whole / "summary.json").read_text())
    assert "evaluated on" not in text(whole)


def test_what_is_trained_is_the_same(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = []
    for words in (WORDS, [*WORDS, "trainer.eval_samples=3"]):
        run = resolve(compose(words))
        state = checkpoint.load(train(run).folder, run.id)
        assert state is not None
        weights.append(state["parameters"])
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name])


def test_null_is_as_if_there_were_no_such_setting() -> None:
    run = resolve(compose(WORDS))
    without = resolve(compose([*WORDS, "trainer.eval_samples=null"]))
    assert run.id == without.id
    assert run.id != resolve(compose([*WORDS, "trainer.eval_samples=3"])).id


@pytest.mark.parametrize("value", ["0", "-1"])
def test_none_at_all_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=r"trainer\.eval_samples must be a whole number of 1 or more"):
        resolve(compose([f"trainer.eval_samples={value}"]))


def test_where_batches_follow_on_each_other_it_is_refused() -> None:
    words = ["dataset=penn_treebank", "task=language_model", "architecture=lstm", "trainer.eval_samples=3"]
    with pytest.raises(UserError, match=r"trainer\.eval_samples is for nets without a state"):
        resolve(compose(words))
