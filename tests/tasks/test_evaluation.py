"""A task that evaluates in its own way: calls of the net one after another, a statistic of the whole split."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets import memory
from repro.datasets.protocol import Batch
from repro.procedures.train import Train
from repro.storage.metrics import LOSS, Metric
from repro.tasks import Classification
from repro.training import prepare
from repro.training.loop import Loop

WORDS = (
    "dataset=xor",
    "dataset.train_size=40",
    "dataset.valid_size=25",
    "dataset.test_size=8",
    "architecture.width=6",
    "trainer.epochs=1",
    "diagnostics=none",
    "trainer.monitor=valid_balanced",
)


class Balanced(Classification):
    """The mean over classes of the share told right, of the net asked sample by sample; no mean over batches."""

    metrics = (LOSS, Metric("balanced", "1", "higher", "mean share of right predictions of a class"))

    def evaluate(self, call, batch: Batch, state) -> tuple[dict[str, Tensor], tuple[Tensor, ...]]:
        output = torch.cat([call(x[None], state)[0] for x in batch.x])
        own = batch.y[:, None] == torch.arange(2)
        right = output.argmax(-1) == batch.y
        return {"hits": (right[:, None] & own).sum(0), "asked": own.sum(0)}, state

    def finish(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if "hits" not in sums:
            return super().finish(sums)
        return {"balanced": (sums["hits"] / sums["asked"]).mean(-1)}


def started(*words: str) -> Loop:
    run = resolve(compose([*WORDS, *words]))
    parts = replace(prepare.components(run), task=Balanced())
    device = torch.device("cpu")
    data, feed = prepare.read_data(run, parts, device)
    return Train()(prepare.Prepared(run, device, parts, data, feed))


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_task_evaluates_in_its_own_way(replicas: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CHUNK", 10)  # batches of 10, 10 and 5, with other shares of the classes
    loop = started(f"replicas={replicas}")
    scored = loop.start()
    while not loop.finished:
        scored = loop.advance() or scored
    batches = list(loop.feed.batches("valid"))
    y = torch.cat([batch.y for batch in batches])
    predicted = torch.cat([loop.learner.predict(batch.x) for batch in batches], 1)
    expected = [np.mean([(p[y == c] == c).double().mean().item() for c in range(2)]) for p in predicted]
    assert scored["valid", "balanced"] == pytest.approx(np.array(expected))
    assert set(scored) == {("train", "loss"), ("train", "accuracy"), ("valid", "balanced"), ("test", "balanced")}
