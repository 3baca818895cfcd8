"""Composing many jobs: the same configurations as one by one, and remembered from one command to the next."""

import shutil
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from hydras_own import composed
from repro.config import compose as composing
from repro.config.compose import Composer, compose
from repro.config.run import checked, plain, resolve
from repro.errors import UserError
from repro.paths import conf_dir, experiments_dir
from repro.storage.cache import FILE, cache_root
from repro.study import run_index as module
from repro.study.experiment import load, names
from repro.study.run_index import runs_of

JOB = ["dataset=xor", "architecture.width=4", "seed=3", "replicas=2"]


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "cache_root", lambda: tmp_path / "cache")
    return tmp_path / "cache" / FILE


def nothing_is_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a job was composed that was known")

    monkeypatch.setattr(module, "_composed", fail)


def hydra_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("Hydra composed what is put together without it")

    monkeypatch.setattr(composing, "hydra_compose", fail)


def test_many_are_composed_as_one_by_one() -> None:
    jobs = [job.overrides for name in names()[::4] for job in load(name).jobs("smoke")[:1]]
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        for words in [*jobs, *jobs[:2], ["hessian=null"], ["diagnostics=hessian", "hessian=null", "seed=1"]]:
            one, other = resolve(composed(words)), resolve(many(words))
            assert checked(many.settings(words)) == other
            assert (one.id, one.folder, one.seeds) == (other.id, other.folder, other.seeds)
            assert one.settings == other.settings


# Values of one setting, in turn: each must come out as if it had been the first.
IN_TURN = {
    "a typed value": [[f"seed={v}"] for v in ("3", "0", "3", "'7'")],
    "whole and broken numbers": [[f"optimizer.lr={v}"] for v in ("1", "1.0", "0.1", "1", "1e-3", "'1'", "-0.0", "0.0")],
    "true and 1": [[f"force={v}"] for v in ("true", "1", "false", "yes", "0")],
    "null and back": [[f"trainer.steps={v}"] for v in ("3", "null", "4", "null")],
    "references": [["dataset=mnist", f"data_dir={v}"] for v in ("a", "null", "b")],
    "a reference replaced": [["dataset=mnist", f"dataset.data_dir={v}"] for v in ("a", "${results_dir}", "b")],
    "a reference to a seed": [["experiment=training_deep_networks/dropout", f"seed={v}"] for v in range(3)],
    "not a number": [["activation=noisy_tanh", f"activation.noise={v}"] for v in ("nan", "nah", "nan")],
    "lists": [[f"diagnostics.steps={v}"] for v in ("[1,2]", "null", "[3]", "[]")],
    "mappings": [[f"+dataset={v}"] for v in ("{a: 1}", "{b: 2}")],
    "added and taken away": [["+dataset.more=1"], ["~dataset.seed"], ["++dataset.more=2"], ["dataset.seed=5"]],
    "one setting twice": [["seed=1", "seed=2"], ["seed=2", "seed=1"]],
    "where it runs": [[f"device={v}", f"seed={i}"] for i, v in enumerate(("cpu", "cuda", "cpu"))],
    "other components between": [["activation=relu", "seed=1"], ["seed=1"], ["activation=relu", "seed=2"], ["seed=2"]],
}


@pytest.mark.parametrize("jobs", IN_TURN.values(), ids=IN_TURN)
def test_values_in_turn_are_composed_as_one_by_one(jobs: list[list[str]]) -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        for words in [*jobs, *jobs]:
            one = plain(composed(words))
            assert repr(many.settings(words)) == repr(one)


def test_a_whole_study_is_composed_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    study = load("training_deep_networks/dropout")
    jobs = [job.overrides for job in study.jobs("full")][::8]
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        expected = [repr(plain(composed(words))) for words in jobs]
        hydra_is_not_asked(monkeypatch)
        many = Composer()
        assert [repr(many.settings(words)) for words in jobs] == expected


def test_after_a_mistake_the_next_is_composed_as_ever() -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        first = many.settings(["threads=2", "seed=1", "replicas=2"])
        for wrong in (["threads=3", "seed=x", "replicas=2"], ["threads=3", "seed=null", "replicas=4"]):
            with pytest.raises(UserError) as told:
                many.settings(wrong)
            with pytest.raises(UserError) as expected:
                composed(wrong)
            assert str(told.value) == str(expected.value)
            assert many.settings(["threads=2", "seed=1", "replicas=2"]) == first


def test_filled_in_settings_are_the_caller_s_own() -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        many.settings(["seed=1"])["dataset"]["seed"] = "changed"
        assert many.settings(["seed=2"])["dataset"]["seed"] == 0


@pytest.mark.parametrize("words", [["dataset=xorr"], ["seed=x"], ["architecture.widht=3"], ["seed"], ["task=null"]])
def test_mistakes_are_told_alike(words: list[str]) -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"), pytest.raises(UserError) as told:
        Composer()(words)
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"), pytest.raises(UserError) as expected:
        composed(words)
    assert str(told.value) == str(expected.value)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["seed=1", "activation=relu", "seed=2"],
        ["optimizer=adam", "optimizer.eps=1e-3", "activation.noise=nan", "activation=noisy_tanh"],
        ["weight=binary", "+weight.more=true", "~normalization"],
        ["dataset=mnist", "dataset.data_dir=${results_dir}", "++dataset.more=2"],
        ["~dataset.seed", "diagnostics.steps=[1,2]"],
        ["hessian=slq", "hessian=null", "experiment=training_deep_networks/dropout"],
    ],
    ids=" ".join,
)
def test_what_has_been_read_is_put_to_use_again(words: list[str]) -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        expected = composed(words)
    for _ in range(2):
        found = compose(words)
        assert repr(OmegaConf.to_container(found)) == repr(OmegaConf.to_container(expected))
        assert repr(plain(found)) == repr(plain(expected))
        found.seed = 77


def test_runs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = runs_of([JOB], "here")
    run = resolve(compose([*JOB, "results_dir=here"]))
    assert (found.id, found.folder, found.seeds) == (run.id, run.folder, (3, 4))
    nothing_is_composed(monkeypatch)
    (again,) = runs_of([JOB], "there")
    assert (again.id, again.folder) == (run.id, Path("there") / run.folder.relative_to("here"))
    with pytest.raises(AssertionError):
        runs_of([[*JOB, "seed=4"]], "here")


def test_a_changed_configuration_is_composed_anew(tmp_path: Path) -> None:
    own = tmp_path / "conf/dataset/mine.yaml"
    own.parent.mkdir(parents=True)
    text = (conf_dir() / "dataset/xor.yaml").read_text()
    own.write_text(text)
    (before,) = runs_of([["dataset=mine"]], "here")
    assert compose(["dataset=mine"]).dataset.seed == 0
    own.write_text(text.replace("seed: 0", "seed: 7"))
    assert own.read_text() != text
    assert runs_of([["dataset=mine"]], "here")[0].id != before.id
    assert compose(["dataset=mine"]).dataset.seed == 7


def test_an_edit_of_one_experiment_leaves_the_others_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "experiments"
    shutil.copytree(experiments_dir(), there, ignore=lambda _, found: [f for f in found if f.endswith((".py", ".md"))])
    monkeypatch.setattr(module, "experiments_dir", lambda: there)
    one, other = ([job.overrides for job in load(name).jobs("smoke")[:1]] for name in names()[:2])
    before = [runs_of(one, "here"), runs_of(other, "here")]
    file = there / f"{names()[0]}.yaml"
    file.write_text(f"{file.read_text()}\n# edited")
    with monkeypatch.context() as patch:
        nothing_is_composed(patch)
        assert runs_of(other, "here") == before[1]
        with pytest.raises(AssertionError):
            runs_of(one, "here")
    assert runs_of(one, "here") == before[0]
    (tmp_path / "conf/dataset").mkdir(parents=True)
    shutil.copy(conf_dir() / "dataset/xor.yaml", tmp_path / "conf/dataset/mine.yaml")
    nothing_is_composed(monkeypatch)
    for jobs in (one, other):
        with pytest.raises(AssertionError):
            runs_of(jobs, "here")


def test_an_experiment_made_of_others_changes_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "experiments_dir", lambda: tmp_path)
    (tmp_path / "paper").mkdir()
    one, other = tmp_path / "paper/one.yaml", tmp_path / "paper/other.yaml"
    one.write_text("defaults: [override /dataset: xor, _self_]")
    other.write_text("defaults: [one, override /dataset: xor]")
    assert module._files_of("paper/one") == [one]
    assert module._files_of("paper/other") == [one, other]


def test_tables_are_looked_at_each_time(tmp_path: Path) -> None:
    words = ["dataset=table", "dataset.path=my.csv", "dataset.target=y"]
    (tmp_path / "my.csv").write_text("x,y\n1,2\n")
    (before,) = runs_of([words], "here")
    (tmp_path / "my.csv").write_text("x,y\n1,3\n")
    assert runs_of([words], "here")[0].id != before.id


@pytest.mark.parametrize("content", [b"", b"no database at all, " * 99, b"SQLite format 3\0" + b"\0" * 999])
def test_a_damaged_memory_is_made_anew(memory: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.parent.mkdir()
    memory.write_bytes(content)
    assert runs_of([JOB], "here")[0].seeds == (3, 4)
    nothing_is_composed(monkeypatch)
    assert runs_of([JOB], "here")[0].seeds == (3, 4)


def test_without_a_place_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(module, "cache_root", lambda: tmp_path / "file")
    assert runs_of([JOB], "here")[0].seeds == (3, 4)
    assert cache_root() != tmp_path / "file"
