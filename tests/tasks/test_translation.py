"""The translation task: its numbers, the net that is kept, what a run writes, what it refuses."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from conftest import Said, check_resuming, loop_of
from repro import errors
from repro.config.compose import compose
from repro.config.run import resolve
from repro.tasks import translation
from repro.tasks.translation import Translation
from repro.training import prepare
from repro.training.evaluation import evaluate
from repro.training.run import train
from repro.training.said import texts as texts_of
from sentences import TARGET, filled

sacrebleu = pytest.importorskip("sacrebleu")
pytest.importorskip("sacremoses")

WORDS = {"the": "le", "dog": "chien", "cat": "chat", "sees": "voit", "bird": "oiseau", "fish": "poisson"}
SIZES = {"train": 60, "valid": 10, "test": 9}


def sentences(split: str) -> list[tuple[str, str]]:
    """Pairs that are translated word by word, of 2 to 5 words; those of other splits are others."""
    names = list(WORDS)
    first = list(SIZES).index(split) * 1000
    rows = [
        [names[(i * 7 + k * (i // 3 + 1)) % 6] for k in range(2 + i % 4)] for i in range(first, first + SIZES[split])
    ]
    return [(f"{' '.join(row)}.", f"{' '.join(WORDS[w] for w in row)}.") for row in rows]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for split in SIZES:
        for language, side in (("en", 0), ("fr", 1)):
            (folder / f"{split}.{language}").write_text("".join(f"{pair[side]}\n" for pair in sentences(split)))
    return [
        "dataset=parallel_text",
        f"dataset.path={folder}",
        "task=translation",
        "task.longest=9",
        "architecture=translator",
        "architecture.width=8",
        "architecture.embedding=8",
        "trainer.batch_size=12",
        "diagnostics=none",
    ]


def task(**changes: float) -> Translation:
    return Translation(**{"beam": 3, "beam_on_the_way": 1, "normalize": 1.0, "longest": 9, **changes})


def test_the_loss_is_summed_over_tokens_and_averaged_over_sentences() -> None:
    rng = torch.Generator().manual_seed(0)
    tokens = filled([[4, 2, 0], [9, 9, 10, 6, 0], [0]])
    logits = torch.randn(3, 5, 11, dtype=torch.float64, generator=rng)
    target = {"tokens": tokens, "line": torch.zeros(3, dtype=torch.int64)}
    scores = task().measure(logits, target)
    by_hand = [
        -sum(math.log(float(logits[i, t].softmax(0)[w])) for t, w in enumerate(row) if w >= 0)
        for i, row in enumerate(tokens.tolist())
    ]
    assert float(scores["loss"]) == pytest.approx(sum(by_hand) / 3, abs=1e-12)
    sums = {name: (value * 3).numpy()[None] for name, value in scores.items()} | {"count": torch.tensor([3.0]).numpy()}
    found = task().finish(sums)
    assert found["perplexity"] == pytest.approx(math.exp(sum(by_hand) / 9))
    assert set(found) == {"loss", "perplexity"}


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "noisy_tanh"])
def test_no_filler_changes_a_loss(words: list[str], activation: str) -> None:
    """The same sentences in one batch, one by one, and with more behind them."""
    loop = loop_of([*words, "trainer.precision=float64", f"activation={activation}"])
    learner, split = loop.learner, loop.feed.splits["valid"]  # type: ignore[attr-defined]
    whole = split.batch(torch.arange(10), torch.device("cpu"))
    assert len({int((row >= 0).sum()) for row in whole.y["tokens"]}) > 2
    one_by_one = [whole.part([i]) for i in range(10)]
    alone = [split.batch(torch.tensor([i]), torch.device("cpu")) for i in range(10)]
    together, *others = (
        [float(evaluate(learner, batches)[name]) for name in ("loss", "tokens", "count")]
        for batches in ([whole], one_by_one, alone)
    )
    for other in others:
        assert other == pytest.approx(together, abs=1e-12)


def test_bleu_is_sacrebleu_s_of_the_whole_split(words: list[str]) -> None:
    loop = loop_of([*words, "optimizer=adam", "trainer.epochs=12"])
    while not loop.finished:
        scored = loop.advance() or {}
    texts = [row[-2:] for row in texts_of(loop, "test")]  # by the beam of the last look
    loop.learner.task.final = loop.learner.task.beam  # type: ignore[attr-defined]
    greedy = [row[-2:] for row in texts_of(loop, "test")]
    assert sorted(wanted for wanted, _ in greedy) == sorted(target for _, target in sentences("test"))
    expected = sacrebleu.corpus_bleu([said for _, said in greedy], [[wanted for wanted, _ in greedy]])
    assert scored["test", "bleu"][0] == pytest.approx(expected.score)
    assert expected.score > 1
    assert len(texts) == len(greedy) == 9


def test_a_run_learns_to_translate_and_keeps_its_best_net(words: list[str], tmp_path: Path) -> None:
    words = [*words, "optimizer=adam", "optimizer.lr=0.02", "trainer.epochs=30", "trainer.keep_best=true"]
    words += ["architecture.width=16", "architecture.embedding=16", "diagnostics.predictions=[test]"]
    outcome = train(resolve(compose([*words, "trainer.monitor=valid_bleu", f"results_dir={tmp_path}"])))
    summary = json.loads((outcome.folder / "summary.json").read_text())
    metrics = summary["metrics"]["0"]
    curves = pd.read_csv(outcome.folder / "curves.csv")
    bleu = curves[(curves["split"] == "valid") & (curves["metric"] == "bleu")].set_index("step")["value"]
    assert bleu.iloc[0] < 15 < 60 < bleu.max()
    loss = curves[(curves["split"] == "valid") & (curves["metric"] == "loss")].set_index("step")["value"]
    assert loss.iloc[-1] < loss.iloc[0] / 2
    best = int(bleu[bleu.index > 0].idxmax())
    assert metrics["schedule_kept_step"] == best
    assert metrics["valid_kept_loss"] == pytest.approx(loss[best], rel=1e-6)
    assert summary["methods"]["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert "best_valid_kept_bleu" not in metrics
    texts = pd.read_csv(outcome.folder / "texts.csv")
    assert sorted(texts["target"]) == sorted(target for _, target in sentences("test"))
    kept = sacrebleu.corpus_bleu(texts["predicted"].tolist(), [texts["target"].tolist()])
    assert metrics["test_kept_bleu"] == pytest.approx(kept.score)
    looks = pd.read_csv(outcome.folder / "attention.csv")
    assert looks["sample"].nunique() == 5
    sums = looks.groupby(["sample", "target_place"])["value"].sum()
    assert sums.between(0.999, 1.001).all()
    assert set(looks["source_word"]) <= {*WORDS, ".", "<eos>"}


def test_the_kept_net_does_not_disturb_the_one_that_learns(words: list[str], tmp_path: Path) -> None:
    tables = {}
    for keep in ("true", "null"):
        run = resolve(compose([*words, "trainer.epochs=3", f"trainer.keep_best={keep}", f"results_dir={tmp_path}"]))
        folder = train(run).folder
        rows = pd.read_csv(folder / "curves.csv").drop(columns="run")
        tables[keep] = rows[~rows["metric"].str.startswith("kept_")].reset_index(drop=True)
        state = torch.load(folder / "checkpoint.pt", weights_only=True)["state"]
        assert ("kept" in state) == (keep == "true")
    pd.testing.assert_frame_equal(tables["true"], tables["null"])


def test_resuming_changes_nothing(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(folder: Path, *more: str):
        return resolve(compose([*words, *more, f"results_dir={folder}"]))

    words = [*words, "activation=noisy_tanh", "activation.noise=nah", "trainer.keep_best=true", "trainer.epochs=3"]
    check_resuming(run, ["diagnostics.predictions=[test]"], 8, tmp_path, monkeypatch)


def test_patience_and_the_best_by_likelihood(words: list[str]) -> None:
    loop = loop_of([*words, "trainer.keep_best=true", "trainer.patience=2", "optimizer.lr=1e-30", "trainer.epochs=9"])
    while not loop.finished:
        loop.advance()
    assert loop.stopped
    assert loop.kept.step == 5  # nothing is learnt, so that the first evaluation stays the best
    assert loop.step == 15


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("task.beam=0", "task.beam must be a whole number of 1 or more, not 0"),
        ("task.beam_on_the_way=0", "task.beam_on_the_way must be a whole number of 1 or more, not 0"),
        ("task.normalize=-1", "task.normalize must be a finite number of at least 0, not -1"),
        ("task.longest=0", "task.longest must be a whole number of 1 or more, not 0"),
        ("dataset.vocabulary=2", "dataset.vocabulary=2 leaves no room for a word"),
        ("task=classification", "translation takes dataset=multi30k, architecture=translator, task=translation"),
        ("architecture=gru", "architecture=gru is not; translation takes"),
        ("replicas=3", "replicas=3 does not go with dataset=parallel_text"),
    ],
)
def test_refusals_are_a_line_and_nothing_is_written(
    words: list[str], more: str, says: str, cli: Callable[..., Said], tmp_path: Path
) -> None:
    if more.startswith("architecture="):
        words = [word for word in words if not word.startswith(("architecture", "task."))]
    if more == "task=classification":
        words = [word for word in words if not word.startswith("task")]
    assert says in cli("train", *words, more).mistake
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train.fr", b"un\n", "has 60 lines and"),
        ("valid.en", b"one\n\n" + b"two\n" * 8, "has nothing in line 2"),
        ("test.fr", b"d\xe9j\xe0\n" * 9, "is not UTF-8 in line 1"),
    ],
)
def test_bad_files_are_a_line_and_nothing_is_written(
    words: list[str], name: str, content: bytes, says: str, cli: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "pairs" / name).write_bytes(content)
    assert says in cli("train", *words).mistake
    assert not (tmp_path / "results").exists()


def test_the_missing_extra_is_named(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(errors, "import_module", missing)
    with pytest.raises(translation.UserError, match=r"-e '.\[text\]' \(No module named 'sacrebleu'\)"):
        prepare.components(resolve(compose(words)))


def test_targets_have_a_line_each() -> None:
    with pytest.raises(translation.UserError, match="dataset digits has none"):
        task().check(filled(TARGET), "digits")


def test_what_is_shown_of_a_run(words: list[str], tmp_path: Path, cli: Callable[..., Said]) -> None:
    """Five translations beside their references; on the page where they looked, too."""
    words = [*words, "trainer.epochs=2", "diagnostics.predictions=[test]"]
    folder = train(resolve(compose([*words, f"results_dir={tmp_path / 'results'}"]))).folder
    said = cli("show", str(folder), "--html")
    assert said.status == 0, said.err
    texts = pd.read_csv(folder / "texts.csv", keep_default_na=False)
    assert said.out.count("\nwanted  ") == said.out.count("\nsaid") == 5
    for place in (0, 2, 4, 6, 8):
        assert f"\nwanted  {texts['target'][place]}\n" in said.out
    assert "5 of 9 texts of test" in said.out
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp" in said.out
    page = (folder / "index.html").read_text()
    assert page.count("Attention, sentence") >= 5
    assert texts["target"][4] in page
    assert "nrefs:1|case:mixed" in page
