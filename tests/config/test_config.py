"""Configuration: identity, flat names, seeds, folders."""

import copy
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from repro.config import groups
from repro.config import identity as identities
from repro.config.compose import compose
from repro.config.groups import flatten, option_files
from repro.config.identity import identity
from repro.config.run import resolve
from repro.diagnostics.quantities import WANTED
from repro.errors import UserError
from repro.paths import PACKAGE

# Everything a user can change that moves no number, written out: a new key must be put here by hand.
WITHOUT_NUMBERS = {
    "device",
    "mlflow",
    "wandb",
    "threads",
    "results_dir",
    "data_dir",
    "force",
    "trusted",
    "variant",
    "experiment",
    "trainer.checkpoint_seconds",
    "trainer.channels_last",
    "trainer.compile",
    "tensorboard",
    "reproduction",
}


@pytest.fixture(scope="module")
def settings() -> dict:
    return resolve(compose(["activation=noisy_tanh", "dataset=mnist"])).settings


def changed(settings: dict, key: str) -> dict:
    """The settings with another value under a dotted key."""
    other = copy.deepcopy(settings)
    *path, last = key.split(".")
    node = other
    for part in path:
        node = node[part]
    value = node[last]
    if isinstance(value, bool):
        node[last] = not value
    elif isinstance(value, int | float):
        node[last] = value + 1
    else:
        node[last] = [*value, "more"] if isinstance(value, list) else "another"
    return other


def test_identity_depends_on_everything_that_moves_a_number_and_on_nothing_else(settings: dict) -> None:
    keys = [key for key in flatten(settings) if not key.startswith("choices.")]
    assert set(keys) >= WITHOUT_NUMBERS
    free = WITHOUT_NUMBERS | {"dataset.data_dir"} | {key for key in keys if key.endswith("._declares_")}
    base = identity(settings)
    assert {key for key in keys if identity(changed(settings, key)) == base} == free


def test_moving_a_component_changes_no_identity(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file may name another address; a configuration that names one that is not in the file is another run."""
    before, moved = identity(settings), copy.deepcopy(settings)
    moved["activation"]["_target_"] = "repro.elsewhere.noisy_tanh"
    assert identity(moved) != before
    known = groups.own_option

    def own_option(group: str, option: str) -> dict:
        return known(group, option) | ({"_target_": moved[group]["_target_"]} if group == "activation" else {})

    monkeypatch.setattr(groups, "own_option", own_option)
    assert identity(moved) == before


def test_every_own_option_counts_by_its_name() -> None:
    """No address of repro's own code is in what is hashed, whatever is chosen."""
    for group in groups.COMPONENTS:
        for file in option_files(group).values():
            node = OmegaConf.to_container(OmegaConf.load(file))
            named = groups.without_addresses(group, file.stem, node)
            assert named["option"] == file.stem
            assert not [key for key in flatten(named) if key.rpartition(".")[2] in groups.ADDRESS]


def test_what_a_component_declares_is_what_its_checks_go_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A normalization of one's own is refused a batch of one sample where its file says that it needs more."""
    file = tmp_path / "conf/normalization/own.yaml"
    file.parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    words = ["normalization=own", "trainer.batch_size=1"]
    file.write_text("# Own.\n_target_: repro.model.normalization.none\n")
    resolve(compose(words))
    file.write_text("# Own.\n_target_: repro.model.normalization.none\n_declares_: [by_batch]\n")
    with pytest.raises(UserError, match=r"normalization=own needs trainer\.batch_size of 2 or more"):
        resolve(compose(words))
    file.write_text("# Own.\n_target_: repro.model.normalization.none\n_declares_: [by_bach]\n")
    with pytest.raises(UserError, match=r"unknown word in normalization\._declares_ 'by_bach'.*did you mean by_batch"):
        resolve(compose(words))


def test_no_check_looks_at_names_of_classes() -> None:
    said = (PACKAGE / "config/checks.py").read_text()
    assert "endswith" not in said
    assert "startswith" not in said


def test_an_option_of_ones_own_counts_by_its_address() -> None:
    own = {"_target_": "repro.model.activations.noisy.noisy_tanh", "c": 1}
    assert groups.without_addresses("activation", "my_copy", own) == own


@pytest.mark.parametrize("key", ["threads", "tensorboard", "device", "force", "variant", "results_dir", "reproduction"])
def test_an_option_of_a_component_may_have_the_name_of_a_root_key(settings: dict, key: str) -> None:
    one, other = copy.deepcopy(settings), copy.deepcopy(settings)
    one["activation"][key], other["activation"][key] = 1, 2
    assert identity(one) != identity(other)


@pytest.mark.parametrize("key", sorted(identities.NOT_SCIENTIFIC))
def test_nor_has_an_option_within_a_list(settings: dict, key: str) -> None:
    one, other = copy.deepcopy(settings), copy.deepcopy(settings)
    one["dataset"]["parts"], other["dataset"]["parts"] = [{key: 1}], [{key: 2}]
    assert identity(one) != identity(other)


def test_identity_does_not_depend_on_how_a_number_is_written(settings: dict) -> None:
    base = identity(settings)
    other = copy.deepcopy(settings)
    other["trainer"]["l2"] = 0
    other["trainer"]["epochs"] = 20.0
    assert identity(other) == base
    assert identity(dict(reversed(other.items()))) == base


def test_an_option_that_is_off_leaves_older_identities_alone(settings: dict) -> None:
    other = copy.deepcopy(settings)
    other["trainer"]["a_later_option"] = None
    assert identity(other) == identity(settings)
    other["trainer"]["a_later_option"] = False
    assert identity(other) != identity(settings)


def test_numbers_change_every_identity(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(settings)
    monkeypatch.setattr(identities, "NUMBERS", identities.NUMBERS + 1)
    assert identity(settings) != before


def test_a_table_counts_by_its_content(tmp_path: Path) -> None:
    def run(path: Path) -> str:
        return resolve(compose(["dataset=table", f"dataset.path={path}", "dataset.target=y"])).id

    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("x,y\n1,0\n2,1\n")
    second.write_text("x,y\n1,0\n2,1\n")
    before = run(first)
    assert run(second) == before
    second.write_text("x,y\n1,0\n2,0\n")
    assert run(second) != before


def test_flatten_gives_the_names_that_are_typed() -> None:
    nested = {"seed": 0, "a": {"b": {"c": 1}, "d": [2, 3]}, "e": None}
    assert flatten(nested) == {"seed": 0, "a.b.c": 1, "a.d": [2, 3], "e": None}
    assert flatten({"a": 1}, "root.") == {"root.a": 1}


def test_seeds_are_consecutive_and_zero_is_a_seed() -> None:
    assert resolve(compose([])).seeds == (0,)
    assert resolve(compose(["seed=7", "replicas=3"])).seeds == (7, 8, 9)


def test_folder_says_what_the_run_is(tmp_path: Path) -> None:
    run = resolve(compose(["activation=relu", "initialization=he", "seed=2", "replicas=3", f"results_dir={tmp_path}"]))
    assert run.folder == tmp_path / "runs" / "digits" / f"mlp-relu-he-seed2x3-{run.id}"
    own = resolve(compose(["experiment=training_deep_networks/initialization"]))
    assert own.folder.parent == Path("results/runs/training_deep_networks/initialization")


def test_the_noise_called_nan_is_a_name() -> None:
    quoted = resolve(compose(["activation=noisy_tanh", "activation.noise='nan'"]))
    bare = resolve(compose(["activation=noisy_tanh", "activation.noise=nan"]))
    assert bare.settings["activation"]["noise"] == "nan"
    assert bare.id == quoted.id == resolve(compose(["activation=noisy_tanh"])).id


def test_typed_views() -> None:
    run = resolve(compose(["trainer.epochs=3", "diagnostics.every=2"]))
    assert run.trainer.epochs == 3
    assert run.diagnostics.every == 2
    assert set(run.diagnostics.quantities) <= set(WANTED)


def test_missing_value_names_the_key() -> None:
    with pytest.raises(UserError, match=r"^dataset\.path, dataset\.target must be given, e\.g\. dataset\.path=VALUE$"):
        resolve(compose(["dataset=table"]))


def test_composing_twice_in_one_process_gives_the_same() -> None:
    assert resolve(compose(["seed=1"])).settings == resolve(compose(["seed=1"])).settings


def test_own_package_counts_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = dict(resolve(compose([])).settings)
    settings["activation"] = {"_target_": "repro.model.activations.Activation", "unit": {"_target_": "ownunits.Sine"}}
    ids = []
    for code in ("x = 1\n", "x = 2\n", "x = 1\n"):
        (tmp_path / "ownunits.py").write_text(code)
        ids.append(identity(settings))
    assert ids[0] == ids[2] != ids[1]
