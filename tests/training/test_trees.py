"""Nets of several inputs, targets of several parts, and tasks whose answers are texts: nothing of them is special."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.training.run import train

CODE = '''
import torch
from torch import nn
from torch.nn import functional

from repro.datasets.memory import Data, Split
from repro.model.architectures.mlp import Hidden
from repro.tasks import COUNT, Task


def pairs(samples: int) -> Data:
    """A row of numbers beside a word; whether the numbers are large goes by the word, and so does their sum."""
    rng = torch.Generator().manual_seed(5)
    def split(n: int) -> Split:
        numbers, word = torch.randn(n, 3, generator=rng), torch.randint(4, (n,), generator=rng)
        large = (numbers.sum(1) > word - 1.5).long()
        return Split({"numbers": numbers, "word": word}, (large, numbers.sum(1, keepdim=True)))
    return Data(split(samples), split(16), split(12), outputs=2, name="pairs")


class TwoInputs(nn.Module):
    def __init__(self, shape: dict, outputs: int, make, width: int) -> None:
        super().__init__()
        (features,) = shape["numbers"]
        self.word = nn.Parameter(torch.linspace(-1, 1, 4 * width).view(4, width))
        self.hidden = Hidden(features, width, True, 0.0, make)
        self.output = make.weights.linear(width, outputs + 1)

    def forward(self, x: dict) -> torch.Tensor:
        return self.output(self.hidden(x["numbers"]) + self.word[x["word"]])


class Both(Task):
    """A class and a number; the answer in words."""

    def check(self, target, dataset: str) -> None:
        assert len(target) == 2

    def measure(self, output, target):
        classes, numbers = target
        wrong = functional.mse_loss(output[:, -1:], numbers)
        return {"loss": functional.cross_entropy(output[:, :-1], classes) + wrong, "squares": wrong}

    def example(self, target, outputs: int):
        return torch.zeros(len(target[0]), outputs + 1)

    def texts(self, call, batch):
        said = call(batch.x, ())[0][:, :-1].argmax(-1).tolist()
        return [(f"it is {y}", f"it's\\n{p}, \\"{p}\\"") for y, p in zip(batch.y[0].tolist(), said, strict=True)]


class Decoded(Both):
    """Asks the net as often as it likes, and reports a ratio of sums over a whole split."""

    def evaluate(self, call, batch, state):
        sums, state = super().evaluate(call, batch, state)
        again = call({**batch.x, "numbers": 2 * batch.x["numbers"]}, state)[0]
        hits = (again[:, :-1].argmax(-1) == batch.y[0]).double().sum()
        return sums | {"hits": hits, "squared": hits**2}, state

    def finish(self, sums):
        return {"loss": sums["loss"] / sums[COUNT], **({"ratio": sums["squared"] / sums["hits"]} if "hits" in sums else {})}
'''  # noqa: E501
CONF = {
    "dataset": "# Pairs.\n_target_: two_inputs.pairs\nsamples: 24  # of training\n",
    "architecture": "# Two inputs.\n_target_: two_inputs.TwoInputs\nwidth: 5  # units\n",
    "task": "# Both.\n_target_: two_inputs.Both\n_declares_: [writes_text]\n",
}
WORDS = (
    "dataset=pairs",
    "architecture=pairs",
    "task=pairs",
    "trusted=[two_inputs]",
    "trainer.epochs=3",
    "trainer.batch_size=7",
)


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two_inputs.py").write_text(CODE)
    for group, text in CONF.items():
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / "pairs.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)


def tables(*words: str) -> dict[str, pd.DataFrame]:
    folder = train(resolve(compose([*WORDS, *words]))).folder
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def test_stacked_seeds_of_two_inputs_are_the_same_seeds_one_by_one() -> None:
    """Training, evaluation, layers' quantities and texts, with a last batch of another size than the others."""
    words = ("diagnostics.predictions=[valid,test]", "activation=noisy_tanh")
    stacked = tables("replicas=3", *words)
    for seed in range(3):
        single = tables(f"seed={seed}", *words)
        for name in ("curves", "layers", "texts"):
            own = stacked[name][stacked[name]["seed"] == seed].drop(columns="run").reset_index(drop=True)
            pd.testing.assert_frame_equal(own, single[name].drop(columns="run"), rtol=2e-4, atol=1e-6)
    curves = stacked["curves"].query("split == 'train' and metric == 'loss'")
    assert curves["value"].iloc[-1] < curves["value"].iloc[0]


def test_texts_are_one_line_each_whatever_is_in_them() -> None:
    texts = tables("diagnostics.predictions=[test]")["texts"]
    assert list(texts["sample"]) == list(range(12))
    assert set(texts["split"]) == {"test"}
    assert set(texts["predicted"]) <= {'it\'s 0, "0"', 'it\'s 1, "1"'}


def test_a_task_may_decode_and_take_statistics_of_a_whole_split() -> None:
    Path("conf/task/pairs.yaml").write_text("# Decoded.\n_target_: two_inputs.Decoded\n")
    alone, stacked = tables("seed=1"), tables("replicas=2")
    last = [t["curves"].query("seed == 1 and metric == 'ratio'") for t in (alone, stacked)]
    assert set(last[0]["split"]) == {"train", "valid", "test"}
    np.testing.assert_allclose(last[0]["value"], last[1]["value"])
    assert last[0]["value"].between(1, 16).all()


def test_the_hessian_of_two_inputs_is_the_same_whatever_the_block() -> None:
    exact = tables("hessian=exact", "trainer.epochs=0")["curves"].query("split == 'hessian'").set_index("metric")
    estimate = tables("hessian=lanczos", "trainer.epochs=0")["curves"].query("split == 'hessian'")
    lanczos = estimate.set_index("metric")["value"]
    assert math.isclose(exact.loc["lambda_max", "value"], lanczos["lambda_max"], rel_tol=1e-6)


def test_numbers_are_not_written_by_a_task_that_has_none() -> None:
    Path("conf/task/pairs.yaml").write_text("# Both, without texts.\n_target_: two_inputs.Both\n")
    with pytest.raises(UserError, match="task=pairs has neither; set it to null"):
        tables("diagnostics.predictions=[test]")
