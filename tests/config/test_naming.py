"""What a run's folder is called, and that folders with older names are the same runs still."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Said, Trained, interrupt_at
from repro.config.compose import compose
from repro.config.naming import MOST, differences, named, short_names, written
from repro.config.run import Run, resolve
from repro.study.run_index import runs_of
from repro.training.run import Interrupted, train


def run(*words: str) -> Run:
    return resolve(compose(list(words)))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "mlp-tanh-seed0"),
        (["activation=relu", "initialization=he", "seed=2", "replicas=3"], "mlp-relu-he-seed2x3"),
        (["architecture.depth=20", "optimizer.lr=0.1"], "mlp-tanh-depth=20-lr=0.1-seed0"),
        (["architecture.depth=5", "optimizer.lr=0.05", "device=cpu", "threads=2"], "mlp-tanh-seed0"),
        (["optimizer=adam", "normalization=batch"], "mlp-tanh-adam-normalization=batch-seed0"),
        (["activation.unit._target_=torch.nn.PReLU"], "mlp-PReLU-seed0"),
        (["activation.gate._target_=torch.nn.ReLU"], "mlp-tanh-gate=ReLU-seed0"),
        (["activation.unit._target_=torch.nn.ELU", "+activation.unit.alpha=2"], "mlp-ELU-alpha=2-seed0"),
        (["dataset.seed=4", "dataset.subset=null"], "mlp-tanh-dataset.seed=4-seed0"),
        (["dataset=mnist", "data_dir=here"], "mlp-tanh-seed0"),  # dataset.data_dir refers to it
        (["experiment=training_deep_networks/dropout", "seed=3"], "mlp-relu-seed3"),  # its dataset.seed follows
        (["experiment=training_deep_networks/dropout", "dataset=digits"], "mlp-relu-seed0"),
        (["experiment=training_deep_networks/dropout", "dataset=mnist"], "mlp-relu-dataset=mnist-seed0"),
        (["diagnostics.predictions=[valid,test]"], "mlp-tanh-predictions=valid_test-seed0"),
    ],
)
def test_a_name_says_what_is_not_by_default(words: list[str], name: str) -> None:
    one = run(*words)
    assert one.folder.name == f"{name}-{one.id}"


def test_a_table_is_called_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Schwertlilien, für mich.csv").write_text("x,y\n1,0\n2,1\n")
    one = run("dataset=table", "dataset.path='Schwertlilien, für mich.csv'", "dataset.target=y")
    assert one.folder == Path("results/runs/table") / f"Schwertlilien_fur_mich-mlp-tanh-target=y-seed0-{one.id}"


def test_defaults_of_an_option_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("conf/activation").mkdir(parents=True)
    text = "# Mine.\n_target_: repro.model.activations.Activation\nunit:\n  _target_: torch.nn.ELU\n  _partial_: true\n"
    Path("conf/activation/mine.yaml").write_text(f"{text}  alpha: 0.5\ngate: {{_target_: torch.nn.Sigmoid}}\n")
    assert run("activation=mine").folder.name.startswith("mlp-mine-seed0-")
    assert run("activation=mine", "activation.alpha=2").folder.name.startswith("mlp-mine-alpha=2-seed0-")


def test_names_are_short_and_safe_and_keep_the_id() -> None:
    words = ["seed=123456789", "replicas=20", "trainer.clip_norm=1e-7", "dataset.subset=100", "normalization=batch"]
    words += ["diagnostics.quantities=[activation_mean,activation_std,dead_share]", "architecture.width=33"]
    words += ["optimizer=adamw", "schedule=cosine", "trainer.batch_size=16", "backward=linear", "activation=noisy_tanh"]
    one = run(*words)
    assert len(one.folder.name) <= MOST
    assert one.folder.name.endswith(f"-etc-seed123456789x20-{one.id}")
    assert one.folder.name.startswith("mlp-noisy_tanh-adamw-normalization=batch-")
    # Neither what shells act on, nor what Windows refuses, nor a trap of case or accents.
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]*[a-z0-9]", one.folder.name)


def test_strange_words_make_safe_names() -> None:
    settings: dict[str, Any] = {
        "choices": {"architecture": "net; rm -rf ~", "activation": "../../.ssh", "dataset": "table"},
        "dataset": {"path": "-a b$(x)`y`*?<>|:\"'\\&.csv", "target": "Ünï/çödé " * 40},
        "seed": 0,
        "replicas": 1,
    }
    name = named(settings, "0123456789")
    assert len(name) <= MOST
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]*-0123456789", name)
    assert ".." not in name


def test_differences_from_untrusted_settings_are_no_error() -> None:
    flat = {"choices.activation": ["list"], "choices.dataset": "../../../etc/passwd", "choices.experiment": {}, "a": 1}
    assert differences(flat | {"dataset.path": 3}) == {"dataset": "../../../etc/passwd"}


def test_short_names_are_told_apart() -> None:
    assert short_names({"a.lr": 1, "b.rate": 2, "c.rate": 3, "dataset.seed": 4}) == {
        "lr": 1,
        "b.rate": 2,
        "c.rate": 3,
        "dataset.seed": 4,
    }
    assert [written(v) for v in (None, True, 0.1, 1e-5, [1, "a"], "x")] == ["null", "true", "0.1", "1e-05", "1,a", "x"]


# Folders on a user's disk that an older version named


def old_name(folder: Path) -> Path:
    """Give a run's folder the name that it had once."""
    return folder.rename(folder.with_name(f"mlp-tanh-xavier-sgd-seed0-{folder.name.rpartition('-')[2]}"))


def test_a_finished_run_with_an_old_name_is_not_trained_again(trained: Callable[..., Trained]) -> None:
    old = old_name(trained("optimizer.lr=0.1").folder)
    again = trained("optimizer.lr=0.1")
    assert (again.outcome.trained, again.folder) == (False, old)
    assert [f.name for f in old.parent.iterdir()] == [old.name]
    anew = trained("optimizer.lr=0.1", "force=true")
    assert (anew.outcome.trained, anew.folder) == (True, old)
    assert [f.name for f in old.parent.iterdir()] == [old.name]


def test_the_command_line_finds_it_too(cli: Callable[..., Said], tiny: tuple[str, ...], undrawn: None) -> None:
    del undrawn
    assert cli("train", *tiny).status == 0
    (folder,) = Path("results/runs/xor").iterdir()
    old = old_name(folder)
    assert "already trained" in cli("train", *tiny).out
    assert cli("train", "-m", *tiny, "seed=0,1").err.count("done before: ") == 1
    assert len(list(old.parent.iterdir())) == 2


def test_an_interrupted_run_with_an_old_name_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["dataset=xor", "trainer.steps=6", "diagnostics=none", f"results_dir={tmp_path}"]
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3, signal.SIGTERM)
        with pytest.raises(Interrupted, match="step 4 of 6"):
            train(run(*words))
    (folder,) = (tmp_path / "runs/xor").iterdir()
    old = old_name(folder)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3, signal.SIGTERM)  # a run that began at step 0 would stop here
        assert train(run(*words)).folder == old
    assert [f.name for f in old.parent.iterdir()] == [old.name]
    assert (old / "done.json").is_file()


def test_of_two_folders_the_finished_one_counts(tmp_path: Path) -> None:
    words = ["dataset=xor", f"results_dir={tmp_path}"]
    own = run(*words).folder
    old = own.with_name(f"mlp-tanh-xavier-sgd-seed0-{own.name.rpartition('-')[2]}")
    own.mkdir(parents=True)
    old.mkdir()
    assert run(*words).folder == own
    (old / "checkpoint.pt").touch()
    assert run(*words).folder == old
    (own / "done.json").touch()
    assert run(*words).folder == own
    (tmp_path / "elsewhere").mkdir()
    own.joinpath("done.json").unlink()
    (old / "checkpoint.pt").unlink()
    old.rmdir()
    own.rmdir()
    old.symlink_to(tmp_path / "elsewhere")  # nothing is written through a link
    assert run(*words).folder == own


def test_plans_know_old_folders(tmp_path: Path) -> None:
    jobs = [["dataset=xor", "seed=0"], ["dataset=xor", "seed=1"]]
    first, second = runs_of(jobs, str(tmp_path))
    old = first.folder.with_name(f"older-{first.id}")
    old.mkdir(parents=True)
    assert [p.folder for p in runs_of(jobs, str(tmp_path))] == [old, second.folder]
    assert not second.folder.exists()
