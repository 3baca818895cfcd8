"""Values as a shell passes them on: all of them are taken, and mean what they say."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import Said
from repro.config.compose import compose
from repro.config.quoting import in_quotes, quoted
from repro.config.run import resolve
from repro.errors import UserError
from repro.verbs.parser import with_results_dir

PARSER = OverridesParser.create()


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1))
@example("a\\'b\\")
@example("\\\\'")
@example("étiquette")
@example("(a=1), [b]: {c}; d|e #f")
@example("null")
@example("3")
def test_a_column_s_name_comes_through(name: str) -> None:
    if "${" in name:
        return  # a reference, as ever
    (word,) = quoted([f"dataset.target={name}"])
    (parsed,) = PARSER.parse_overrides([word])
    value = parsed.value()
    assert (value is None and name.strip().lower() == "null") or value == name or value == name.strip()


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"])))
def test_quotes_are_read_back(text: str) -> None:
    (parsed,) = PARSER.parse_overrides([f"a={in_quotes(text)}"])
    assert "${" in text or parsed.value() == text


@pytest.mark.parametrize(
    "word",
    [
        "activation=tanh",
        "optimizer.lr=0.1",
        "seed=3",
        "trusted=[a,b]",
        "-m",
        "--cfg",
        "dataset.path=a.csv",
        "hydra/launcher=joblib",
        "+more={a: 1}",
        "results_dir=${x}",
        "data_dir=null",
        "dataset.target='a b'",
        "~weight",
    ],
)
def test_what_needs_no_quotes_stays(word: str) -> None:
    assert quoted([word]) == [word]


def test_commas_separate_values_in_a_sweep_only() -> None:
    assert quoted(["dataset.path=a,b.csv"]) == ["dataset.path='a,b.csv'"]
    assert quoted(["-m", "dataset.path=a,b.csv"]) == ["-m", "dataset.path=a,b.csv"]
    assert quoted(["seed=1,2"]) == ["seed=1,2"]
    for folder in ("results_dir", "hydra.sweep.dir"):  # a sweep has one of them
        assert quoted(["-m", f"{folder}=a,b"]) == ["-m", f"{folder}='a,b'"]


def test_a_table_in_a_strange_place(cli: Callable[..., Said], tmp_path: Path) -> None:
    folder = tmp_path / "my data (old), 2 = two"
    folder.mkdir()
    rows = "".join(f"{i % 5};{i},5;{'ja' if i % 2 else 'nein'}\n" for i in range(40))
    (folder / "Tabelle ä.csv").write_text("x;y;étiquette\n" + rows.replace(",5", ".5"))
    words = (f"dataset.path={folder / 'Tabelle ä.csv'}", "dataset.target=étiquette", "dataset.separator=;")
    said = cli("train", "dataset=table", *words, "trainer.epochs=1", "architecture.width=4", "results_dir=the results")
    assert said.status == 0, said.err
    assert list((tmp_path / "the results").rglob("done.json"))


@pytest.mark.parametrize("words", [["--results-dir", "a b"], ["--results-dir=a b"], ["results_dir=a b"]])
def test_the_folder_of_results_is_named_either_way(words: list[str]) -> None:
    for verb in ("train", "reproduce"):
        assert with_results_dir(verb, ["x", *words, "y"]) == ["x", "results_dir=a b", "y"]
    assert with_results_dir("show", words) == ["--results-dir", "a b"]
    assert with_results_dir("list", ["results_dir=a"]) == ["results_dir=a"]


@pytest.mark.parametrize("words", [["--results-dir"], ["--results-dir="], ["--results-dir", ""], ["results_dir="]])
def test_no_folder_of_results(words: list[str]) -> None:
    for verb in ("train", "show"):
        with pytest.raises(UserError, match=f"needs a folder; see: repro {verb} --help"):
            with_results_dir(verb, words)
    with pytest.raises(UserError, match="results_dir must name a folder"):
        resolve(compose(["results_dir="]))


def test_a_folder_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert with_results_dir("train", ["--results-dir=~/a"]) == ["results_dir=/home/me/a"]
    assert with_results_dir("show", ["--results-dir=~/a"]) == ["--results-dir", "/home/me/a"]
    assert quoted(["results_dir=~/a", "dataset.path=~/b c.csv", "dataset.target=~/a"]) == [
        "results_dir='/home/me/a'",
        "dataset.path='/home/me/b c.csv'",
        "dataset.target='~/a'",
    ]


@pytest.mark.parametrize("verb", ["status", "table", "figures", "show", "compare", "diagnose"])
def test_every_verb_takes_both(verb: str, cli: Callable[..., Said]) -> None:
    what = "training_deep_networks/l2" if verb in ("status", "table", "figures") else "some_run"
    one, other = (cli(verb, what, *words) for words in (["results_dir=nowhere"], ["--results-dir", "nowhere"]))
    assert one == other
    assert "nowhere" in one.err or verb == "status"
