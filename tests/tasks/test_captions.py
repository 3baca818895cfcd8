"""The task of captions: its numbers, its scores against the COCO tools, what a run learns, writes and shows."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import captioned
from captioned import PLACES, SIZES, THINGS, WAYS, scenes, things
from conftest import Said, check_resuming, loop_of
from repro import errors
from repro.config.compose import compose
from repro.config.run import resolve
from repro.errors import UserError
from repro.model.trees import mapped
from repro.tasks import caption_scores, captions
from repro.tasks.caption_scores import Cider, Meteor, bleu_parts, bleus, java
from repro.tasks.captions import Captions
from repro.training import prepare
from repro.training.evaluation import evaluate
from repro.training.run import train
from sentences import filled

pytest.importorskip("pycocoevalcap")

REFERENCES = [
    ["a dog runs on the grass", "the brown dog is running", "a dog plays outside", "dog on grass", "a running dog"],
    ["two men sit on a bench", "two men are sitting", "men on a bench outside", "a pair of men sit", "people sit"],
    ["a girl in a red dress", "the girl wears red", "a small girl stands", "girl in dress", "a child in a red dress"],
]
SAID = ["a dog runs on grass", "two men on a bench", "a man"]


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/scenes.yaml").write_text(
        "# Two things in an image.\n_target_: captioned.scenes\n_declares_: [sequential, captions]\nheld_out: null\n"
    )
    monkeypatch.chdir(tmp_path)
    return [
        "trusted=[captioned]",
        "dataset=scenes",
        "task=captions",
        "task.longest=9",
        "architecture=captioner",
        "architecture.width=8",
        "architecture.embedding=8",
        "architecture.attention=8",
        "architecture.dropout=0",
        "trainer.batch_size=20",
        "diagnostics=none",
    ]


def task(**changes: float) -> Captions:
    return Captions(
        **{"alpha_c": 1.0, "beam": 3, "beam_on_the_way": 1, "normalize": 1.0, "longest": 9, "meteor": True, **changes}
    )


def test_loss_and_unevenness_by_hand() -> None:
    rng = torch.Generator().manual_seed(0)
    tokens = filled([[4, 2, 0], [9, 9, 10, 6, 0], [0], [3, 0]]).view(2, 2, 5)
    logits = torch.randn(2, 2, 5, 11, dtype=torch.float64, generator=rng)
    attention = torch.rand(2, 2, 5, 3, dtype=torch.float64, generator=rng)
    target = {"tokens": tokens, "line": torch.zeros(2, dtype=torch.int64)}
    scores = task().measure({"logits": logits, "attention": attention}, target)
    losses, unevenness = [], []
    for i in range(2):
        for k in range(2):
            steps = [(t, w) for t, w in enumerate(tokens[i, k].tolist()) if w >= 0]
            losses.append(-sum(math.log(float(logits[i, k, t].softmax(0)[w])) for t, w in steps))
            seen = sum(attention[i, k, t] for t, _ in steps)
            unevenness.append(float(((1 - seen) ** 2).sum()))
    assert float(scores["loss"]) == pytest.approx(sum(losses) / 4, abs=1e-12)
    assert float(scores["unevenness"]) == pytest.approx(sum(unevenness) / 4, abs=1e-12)
    minimized = float(task(alpha_c=0.5).objective(scores, target))
    assert minimized == pytest.approx((sum(losses) + 0.5 * sum(unevenness)) / 4)
    sums = {name: (value * 2).numpy()[None] for name, value in scores.items()} | {"count": np.array([2.0])}
    found = task().finish(sums)
    assert found["perplexity"] == pytest.approx(math.exp(sum(losses) / 11))
    assert set(found) == {"loss", "perplexity", "unevenness"}


def test_scores_are_those_of_the_coco_tools() -> None:
    """In parts that are added up, and of the whole at once."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider as Whole

    wanted = dict(enumerate(REFERENCES))
    said = {i: [one] for i, one in enumerate(SAID)}
    parts = [bleu_parts(SAID[:1], REFERENCES[:1]), bleu_parts(SAID[1:], REFERENCES[1:])]
    ours = bleus([sum(part) for part in zip(*parts, strict=True)])
    theirs = Bleu(4).compute_score(wanted, said, verbose=0)[0]
    assert ours == pytest.approx([100 * value for value in theirs], rel=1e-6)
    assert ours[0] > ours[1] > ours[2] > 0
    cider = Cider(REFERENCES)
    total = cider.total(SAID[:1], REFERENCES[:1]) + cider.total(SAID[1:], REFERENCES[1:])
    assert total / 3 == pytest.approx(Whole().compute_score(wanted, said)[0], rel=1e-9)
    assert total > 0.1


def test_scores_of_silence() -> None:
    assert bleus(bleu_parts(["", ""], REFERENCES[:2])) == [0, 0, 0, 0]
    assert Cider(REFERENCES).total(["", "", ""], REFERENCES) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_meteor_is_that_of_the_coco_tools() -> None:
    if java() is None:
        pytest.skip("METEOR takes a Java runtime")
    ours = Meteor(str(java()))
    parts = np.array(ours.counts(SAID[:1], REFERENCES[:1])) + ours.counts(SAID[1:], REFERENCES[1:])
    assert 10 < ours.score(parts.tolist()) < 90
    asked = [ours._asked(" ||| ".join(["SCORE", *r, s]), 1)[0] for s, r in zip(SAID, REFERENCES, strict=True)]
    of_each_and_all = ours._asked(f"EVAL ||| {' ||| '.join(asked)}", 4)
    assert ours.score(parts.tolist()) == pytest.approx(100 * float(of_each_and_all[-1]), rel=1e-9)
    assert ours.score(ours.counts([""], REFERENCES[:1])) == 0
    process = ours.process
    assert process is not None
    del ours
    assert process.wait(10) is not None


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "noisy_tanh"])
def test_no_filler_changes_a_loss(words: list[str], activation: str) -> None:
    """The same images in one batch, one by one, and with more behind their captions."""
    loop = loop_of([*words, "trainer.precision=float64", f"activation={activation}"])
    learner, split = loop.learner, loop.feed.splits["valid"]  # type: ignore[attr-defined]
    whole = split.batch(torch.arange(12), torch.device("cpu"))
    assert len({int(n) for n in (whole.y["tokens"] >= 0).sum(-1).flatten()}) > 1
    alone = [split.batch(torch.tensor([i]), torch.device("cpu")) for i in range(12)]
    longer = prepare.replace(
        whole,
        x=whole.x | {"target": torch.nn.functional.pad(whole.x["target"], (0, 4), value=-1)},
        y=whole.y | {"tokens": torch.nn.functional.pad(whole.y["tokens"], (0, 4), value=-1)},
    )
    names = ("loss", "tokens", "unevenness", "count", "bleu", "cider")
    together, *others = (
        [evaluate(learner, batches)[name].flatten().tolist() for name in names]
        for batches in ([whole], alone, [longer])
    )
    for other in others:
        for one, same in zip(other, together, strict=True):
            assert one == pytest.approx(same, abs=1e-12)


def test_a_run_learns_to_see_and_keeps_its_best_net(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is there, and looks where it is."""
    monkeypatch.setattr(captions, "java", lambda: None)
    words = [word for word in words if not word.startswith(("architecture.width", "architecture.embedding"))]
    words += [
        "architecture.width=24",
        "architecture.embedding=16",
        "task.alpha_c=0",
        "optimizer=adam",
        "optimizer.lr=0.02",
    ]
    words += ["trainer.epochs=5", "trainer.keep_best=true", "diagnostics.predictions=[test]"]
    outcome = train(resolve(compose([*words, f"results_dir={tmp_path}"])))
    metrics = json.loads((outcome.folder / "summary.json").read_text())["metrics"]["0"]
    curves = pd.read_csv(outcome.folder / "curves.csv")
    loss = curves[(curves["split"] == "valid") & (curves["metric"] == "loss")].set_index("step")["value"]
    assert metrics["valid_kept_loss"] == pytest.approx(loss.min(), rel=1e-6)
    assert loss.min() < loss.iloc[0] / 2
    assert "test_kept_meteor" not in metrics
    texts = pd.read_csv(outcome.folder / "texts.csv")
    assert len(texts) == SIZES["test"]
    first = sum(SIZES.values()) - SIZES["test"]
    wanted = {i: [way.format(*(name for _, name in things(first + i))) for way in WAYS] for i in range(SIZES["test"])}
    order = [next(i for i, own in wanted.items() if own[0] == target) for target in texts["target"]]
    said = texts["predicted"].tolist()
    # Nothing tells places from each other, so that the order in which it names things is anybody's guess.
    named = [{word for word in one.split() if word in THINGS} for one in said]
    assert sum(found == {name for _, name in things(first + i)} for i, found in zip(order, named, strict=True)) >= 10
    assert metrics["test_kept_bleu_1"] > 80
    parts = bleu_parts(said, [wanted[i] for i in order])
    assert metrics["test_kept_bleu_4"] == pytest.approx(bleus(parts)[3])
    looks = pd.read_csv(outcome.folder / "looks.csv")
    assert looks["sample"].nunique() == 5
    assert looks.groupby(["sample", "word_place"])["value"].sum().between(0.999, 1.001).all()
    assert set(looks["place"]) == set(range(PLACES))
    assert set(looks["blue"]) == {255}
    hits = []
    for (image, word), rows in looks[looks["word"].isin(THINGS)].groupby(["image", "word"]):
        there = [place for place, name in things(int(image.removesuffix(".jpg"))) if name == word]
        hits += [int(rows.loc[rows["value"].idxmax(), "place"]) in there] if there else []
    assert sum(hits) > len(hits) / 2


def test_resuming_changes_nothing(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "java", lambda: None)

    def run(folder: Path, *more: str):
        return resolve(compose([*words, *more, f"results_dir={folder}"]))

    words = [*words, "activation=noisy_tanh", "activation.noise=nah", "architecture.dropout=0.5", "dataset.held_out=4"]
    words = [word for word in words if word != "architecture.dropout=0"]
    words += ["trainer.keep_best=true", "trainer.steps=6", "trainer.eval_steps=3"]
    check_resuming(run, ["diagnostics.predictions=[test]"], 4, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("task.beam=0", "task.beam must be a whole number of 1 or more, not 0"),
        ("task.beam_on_the_way=0", "task.beam_on_the_way must be a whole number of 1 or more, not 0"),
        ("task.normalize=-1", "task.normalize must be a finite number of at least 0, not -1"),
        ("task.alpha_c=-1", "task.alpha_c must be a finite number of at least 0, not -1"),
        ("task.longest=0", "task.longest must be a whole number of 1 or more, not 0"),
        ("task=classification", "captions take dataset=flickr8k, architecture=captioner, task=captions"),
        ("architecture=lstm", "architecture=lstm is not; captions take dataset=flickr8k, architecture=captioner"),
        ("replicas=3", "replicas=3 does not go with dataset=scenes"),
    ],
)
def test_refusals_are_a_line_and_nothing_is_written(
    words: list[str], more: str, says: str, cli: Callable[..., Said], tmp_path: Path
) -> None:
    if more == "architecture=lstm":
        words = [word for word in words if not word.startswith("architecture")]
    if more == "task=classification":
        words = [word for word in words if not word.startswith("task")]
    assert says in cli("train", *words, more).mistake
    assert not (tmp_path / "results").exists()


def test_the_default_net_is_told_from_the_one_that_reads_images(cli: Callable[..., Said]) -> None:
    said = cli("train", "dataset=flickr8k").mistake
    assert "captions take dataset=flickr8k, architecture=captioner, task=captions" in said
    assert "lstm" not in said


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(errors, "import_module", missing)
    with pytest.raises(UserError, match=r"captioning needs the extra: pip install .* -e '.\[captions\]'"):
        task()


def test_without_java_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "java", lambda: None)
    assert "apt-get install default-jre-headless" in task().notes[0]
    assert task().last_look().meteor is None
    assert task(meteor=False).notes == []
    monkeypatch.setattr(captions, "java", lambda: "java")
    assert task().notes == []
    assert task().last_look().meteor is not None
    assert task(meteor=False).last_look().meteor is None
    java.cache_clear()
    monkeypatch.setattr(caption_scores.shutil, "which", lambda _: None)
    assert java() is None
    java.cache_clear()


def test_targets_are_captions() -> None:
    for target in (torch.zeros(3), {"tokens": torch.zeros(2, 4), "line": torch.zeros(2)}):
        with pytest.raises(UserError, match="dataset digits has none"):
            task().check(target, "digits")


def test_what_is_shown_of_a_run(words: list[str], tmp_path: Path, cli: Callable[..., Said], monkeypatch) -> None:
    """Five captions beside references, and on the page where each word looked."""
    monkeypatch.setattr(captions, "java", lambda: None)
    words = [*words, "trainer.steps=2", "diagnostics.predictions=[test]"]
    folder = train(resolve(compose([*words, f"results_dir={tmp_path / 'results'}"]))).folder
    said = cli("show", str(folder), "--html")
    assert said.status == 0, said.err
    assert said.out.count("\nwanted  ") == said.out.count("\nsaid") == 5
    assert "5 of 11 texts of test" in said.out
    page = (folder / "index.html").read_text()
    looks = pd.read_csv(folder / "looks.csv")
    for image in looks["image"].unique():
        assert f"Where the words said of {image} looked" in page


def test_the_scenes_are_what_they_are_said_to_be() -> None:
    data = scenes(None)
    assert data.sizes == SIZES | {"train": 5 * SIZES["train"]}  # a sample of training is a caption
    batch = data.splits["train"].batch(torch.tensor([3]), torch.device("cpu"))
    assert mapped(len, batch.x) == {"image": 1, "target": 1}
    assert captioned.things(3)[0][0] < captioned.things(3)[1][0]
