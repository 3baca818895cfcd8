"""Configurations put together without Hydra: Hydra's own, or none."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir

from hydras_own import composed
from repro.config.assemble import Assembler
from repro.config.compose import Composer
from repro.config.groups import GROUPS, option_files
from repro.config.run import checked, plain
from repro.config.yaml_files import read
from repro.errors import UserError
from repro.paths import conf_dir, experiments_dir

OPTIONS = [f"{g}={o}" for g in GROUPS if g not in ("experiment", "dataset") for o in list(option_files(g))[:4]]
BY_HYDRA = [["dataset=xor", "dataset=digits"], ["+weight=binary"], ["~weight"], ["activation=[tanh]"], ["dataset=no"]]


@pytest.mark.parametrize("word", [*OPTIONS, "diagnostics=hessian", "hessian=null"])
def test_an_option_is_put_together_as_hydra_does(word: str) -> None:
    """With a study as well: its values go on top of the option's."""
    for study in ((), ("experiment=esp_mean_field/linear",)):
        words = [*study, *([] if word.startswith("diagnostics=") else ["diagnostics=hessian"]), word, "seed=3"]
        with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            expected = plain(composed(words))
            many = Composer()
            assert repr(many.settings(words)) == repr(expected)
        assert not many._chosen, "Hydra was asked"


@pytest.mark.parametrize("words", BY_HYDRA)
def test_what_is_not_known_here_is_left_to_hydra(words: list[str]) -> None:
    assert Assembler().options(words) is None


def test_components_of_the_working_folder_are_left_to_hydra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "conf/dataset/mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text((conf_dir() / "dataset/xor.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    assert Assembler().options(["dataset=mine"]) is None
    assert Assembler().options(["dataset=xor"]) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# @package _global_\n", "# @package task\n"),
        ("  - override /task: sigmoids\n", "  - /task: sigmoids\n"),
        ("\nreproduction:", "\nhydra: {job: {chdir: true}}\nreproduction:"),
    ],
)
def test_studies_that_do_more_are_left_to_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    text = (experiments_dir() / "esp_mean_field/linear.yaml").read_text()
    assert text.count(old) == 1
    study = tmp_path / "study.yaml"
    for written, known in ((text, True), (text.replace(old, new), False)):
        study.write_text(written)
        assembler = Assembler()
        monkeypatch.setattr(
            assembler, "_options", lambda group: {"a/b": study} if group == "experiment" else option_files(group)
        )
        assert (assembler.options(["experiment=a/b"]) is not None) == known


def test_a_value_that_must_be_given_is_asked_for() -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        with pytest.raises(UserError, match=r"dataset\.path"):
            many.settings(["dataset=table"])
        words = ["dataset=table", "dataset.path=a.csv", "dataset.target=y"]
        assert repr(many.settings(words)) == repr(plain(composed(words)))


def test_a_list_in_turn_with_a_number() -> None:
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        many = Composer()
        for width in ("[8,2]", "7", "[3]", "[8,2]", "7"):
            words = ["diagnostics.steps=[1,2]", f"architecture.width={width}"]
            expected = plain(composed(words))
            assert repr(many.settings(words)) == repr(expected)
            assert checked(many.settings(words)).id == checked(expected).id
        assert not many._chosen


def test_yaml_is_read_as_by_omegaconf(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    text = "a: 1e-3\nb: 1_000\nc: 2001-01-01\nd: yes\ne: [.5, -.inf, 0x10, ~, 'x: y']\nf: {g: 12e4567, h: 1:30.5}\n"
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert repr(read(file)) == repr(OmegaConf.to_container(OmegaConf.load(file)))
    for wrong in ("a: 1\na: 2\n", "a: [1\n", "a: !!python/object/apply:os.getcwd []\n"):
        file.write_text(wrong)
        with pytest.raises(UserError, match="is no YAML file of plain values"):
            read(file)
