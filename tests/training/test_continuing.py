"""A run whose length was raised goes on from the shorter one, where that changes nothing, and says so."""

import json
import shutil
from pathlib import Path

import pytest

from conftest import equal
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.training import checkpoint
from repro.training.run import train

SIZE = ["architecture.width=6", "trainer.batch_size=20", "diagnostics.probe=20", "diagnostics.histogram=2"]
XOR = ["dataset=xor", "dataset.train_size=60", "dataset.valid_size=20", "dataset.test_size=20", "architecture.depth=2"]
SEQUENCES = [
    "dataset=unique_numbers",
    "dataset.length=5",
    "dataset.epoch_steps=3",
    "dataset.valid_size=20",
    "dataset.test_size=20",
    "architecture=lstm_classifier",
    "architecture.embedding=4",
]
EVERY = "diagnostics.every=4"


def run_of(folder: Path, *words: str) -> Run:
    return resolve(compose([*SIZE, f"results_dir={folder}", *words]))


def bytes_of(run: Run) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.folder.iterdir() if file.is_file()}


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of other runs."""
    lines = capsys.readouterr().err.splitlines()
    return "\n".join(line for line in lines if line.startswith(("continues", "starts anew")))


CONTINUED = {
    "all at once": [
        *XOR,
        EVERY,
        "activation=noisy_tanh",
        "architecture.dropout=0.2",
        "optimizer=adam",
        "normalization=batch",
        "schedule=plateau",
        "schedule.patience=1",
        "trainer.patience=20",
    ],
    "annealed": [*XOR, EVERY, "activation=noisy_tanh", "activation.noise=nah", "annealing=inverse_sqrt", "replicas=2"],
    "at steps": [*XOR, "diagnostics.steps=[1,5,14]", "trainer.l1=0.001", "schedule=step", "schedule.every=2"],
    "not measured": [*XOR, "diagnostics=none", "schedule=exponential", "optimizer=rmsprop"],
    "sequences": [*SEQUENCES, EVERY],
    "by updates": [*XOR, EVERY, "trainer.eval_steps=3", "normalization=layer", "optimizer.momentum=0.5"],
}


@pytest.mark.parametrize("words", CONTINUED.values(), ids=CONTINUED)
def test_a_longer_run_ends_as_if_trained_in_one_go(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, whole = (run_of(tmp_path / name, *words, f"trainer.epochs={n}") for name, n in (("two", 3), ("one", 7)))
    train(short)
    before = bytes_of(short)
    longer = run_of(tmp_path / "two", *words, "trainer.epochs=7")
    train(whole)
    assert said(capsys) == ""
    train(longer)
    assert said(capsys) == f"continues {short.folder} from epoch 3"
    assert longer.id == whole.id != short.id
    for table in ("curves.csv", "layers.csv"):
        assert (longer.folder / table).read_bytes() == (whole.folder / table).read_bytes(), table
    ours, theirs = (checkpoint.load(run.folder, run.id) for run in (longer, whole))
    assert ours is not None
    assert theirs is not None
    assert equal(ours["parameters"], theirs["parameters"])
    assert bytes_of(short) == before
    origin = json.loads((longer.folder / "provenance.json").read_text())["continues"]
    assert (origin["run"], origin["folder"], origin["step"]) == (short.id, str(short.folder), 9)
    assert "continues" not in json.loads((whole.folder / "provenance.json").read_text())


ANEW = {
    "schedule=cosine": [*XOR, EVERY, "schedule=cosine"],
    "diagnostics.log_spaced (but not diagnostics.every)": [*XOR],
    "schedule=linear, diagnostics.log_spaced (but not diagnostics.every)": [*XOR, "schedule=linear"],
    "hessian=slq": [*XOR, EVERY, "hessian=slq", "hessian.probes=2", "hessian.steps=2"],
    "curriculum=growth": [*SEQUENCES, EVERY, "curriculum=growth"],
}


@pytest.mark.parametrize(("why", "words"), ANEW.items(), ids=ANEW)
def test_a_run_that_goes_by_its_length_starts_anew_and_says_why(
    why: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, longer = (run_of(tmp_path, *words, f"trainer.epochs={n}") for n in (2, 3))
    train(short)
    train(longer)
    assert said(capsys) == (
        f"starts anew and does not go on from {short.folder}, which is shorter: "
        f"what a run does on its way depends on its length with {why}"
    )
    assert "continues" not in json.loads((longer.folder / "provenance.json").read_text())


def test_an_evaluation_that_was_only_due_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, longer = (run_of(tmp_path, *XOR, EVERY, "trainer.eval_every=2", f"trainer.epochs={n}") for n in (3, 5))
    train(short)
    train(longer)
    assert "no evaluation is due after step 9 here, where it had its last" in said(capsys)


def test_what_is_not_the_same_run_but_for_its_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(run_of(tmp_path, *XOR, EVERY, "trainer.epochs=2"))
    train(run_of(tmp_path, *XOR, EVERY, "trainer.epochs=1"))  # shorter than what is there
    train(run_of(tmp_path, *XOR, EVERY, "trainer.epochs=3", "optimizer.lr=0.01"))
    train(run_of(tmp_path, *XOR, EVERY, "trainer.epochs=3", "seed=1"))
    train(run_of(tmp_path, *XOR, EVERY, "trainer.epochs=3", "force=true"))
    assert said(capsys) == ""


def test_the_longest_is_taken_and_updates_count_as_epochs_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (run_of(tmp_path, *XOR, EVERY, f"trainer.epochs={n}") for n in (2, 4))
    train(first)
    train(second)
    assert said(capsys) == f"continues {first.folder} from epoch 2"
    train(run_of(tmp_path, *XOR, EVERY, "trainer.steps=14"))
    assert said(capsys) == f"continues {second.folder} from epoch 4"


def test_a_run_that_stopped_early_has_no_more_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*XOR, EVERY, "trainer.patience=1", "optimizer.lr=5"]
    short, longer = (run_of(tmp_path / "two", *words, f"trainer.epochs={n}") for n in (30, 40))
    whole = run_of(tmp_path / "one", *words, "trainer.epochs=40")
    for run in (short, whole, longer):
        train(run)
    summary = json.loads((longer.folder / "summary.json").read_text())
    assert summary["stopped_early"]
    assert said(capsys) == f"continues {short.folder} from epoch {summary['epochs']:g}"
    for table in ("curves.csv", "layers.csv"):
        assert (longer.folder / table).read_bytes() == (whole.folder / table).read_bytes(), table


def test_a_shorter_run_that_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = run_of(tmp_path, *XOR, EVERY, "trainer.epochs=2")
    train(short)
    (short.folder / "checkpoint.pt").write_bytes(b"no checkpoint")
    longer = run_of(tmp_path, *XOR, EVERY, "trainer.epochs=3")
    train(longer)
    assert f"starts anew and does not go on from {short.folder}, which is shorter: it cannot be read" in said(capsys)
    rows = (longer.folder / "curves.csv").read_text().splitlines()
    assert rows[1].startswith(f"{longer.id},0,0,")
    shutil.rmtree(longer.folder)
    train(short_again := run_of(tmp_path, *XOR, EVERY, "trainer.epochs=2", "force=true"))
    with (short_again.folder / "curves.csv").open("a") as file:
        file.write(f"{short.id},0,6,2,train,loss,0\n")
    train(longer)
    assert "is not what it was when its checkpoint was written" in said(capsys)


def test_killed_before_it_could_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are there, the checkpoint is not; then it is, and no step was made."""
    short, longer = (run_of(tmp_path / "two", *XOR, EVERY, f"trainer.epochs={n}") for n in (2, 4))
    whole = run_of(tmp_path / "one", *XOR, EVERY, "trainer.epochs=4")
    train(short)
    train(whole)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(longer)
    with monkeypatch.context() as patch:
        patch.setattr("repro.training.run._advance_to_end", killed)
        with pytest.raises(KeyboardInterrupt):
            train(longer)
    assert said(capsys) == f"continues {short.folder} from epoch 2"
    train(longer)
    assert said(capsys) == ""
    for table in ("curves.csv", "layers.csv"):
        assert (longer.folder / table).read_bytes() == (whole.folder / table).read_bytes(), table
    assert json.loads((longer.folder / "provenance.json").read_text())["continues"]["run"] == short.id
