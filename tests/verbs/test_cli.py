"""The command line: help, lists, completion, and what `repro train` tells."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
from omegaconf import OmegaConf

from conftest import Said, complete
from repro.cli import main
from repro.config.compose import compose
from repro.config.groups import GROUPS, flatten
from repro.config.run import resolve
from repro.study.experiment import names, with_variant
from repro.training import provenance
from repro.training.provenance import code_version
from repro.verbs import list as listing
from repro.verbs.completion import SCRIPTS
from repro.verbs.parser import VERBS

HEAVY = ("torch", "pandas", "scipy", "matplotlib", "sklearn", "hydra", "numpy")


def python(cwd: Path, code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Help


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb: str, flag: str, cli: Callable[..., Said]) -> None:
    said = cli(verb, flag)
    assert said.status == 0
    assert said.err == ""
    assert said.out.startswith(f"usage: repro {verb}")
    assert len(examples(said.out)) >= 2
    assert all(line.startswith(("repro ", "eval ")) for line in examples(said.out))


def examples(text: str) -> list[str]:
    """The indented command lines after `examples:`."""
    lines = text.partition("examples:\n")[2].splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def help_of(verb: str, cli: Callable[..., Said]) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in examples(cli(verb, "--help").out)]


def single_runs(words: list[str]) -> list[str]:
    """Words of `repro train` without sweeps: the first of several values, no intervals, no flags, no launcher."""
    kept = [w for w in words if not w.startswith(("-", "hydra")) and "interval(" not in w]
    return [w.replace("range(3)", "0").replace("range(5)", "0").partition(",")[0] for w in kept]


def test_examples_of_train_compose(cli: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("a,b,species\n1,2,x\n")
    lines = help_of("train", cli)
    assert len(lines) >= 5
    for words in lines:
        assert words[:2] == ["repro", "train"]
        run = resolve(compose(with_variant(single_runs(words[2:]))))
        assert run.settings["choices"]["architecture"] == "mlp"


def test_example_on_the_front_page_composes(cli: Callable[..., Said]) -> None:
    front = [shlex.split(line) for line in examples(cli("--help").out) if "repro train" in line]
    assert len(front) >= 2
    for words in front:
        resolve(compose(single_runs(words[2:])))


@pytest.mark.parametrize("verb", ["list", "status", "data", "completion"])
def test_cheap_examples_run(verb: str, cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPRO_DATA", "")
    for words in help_of(verb, cli):
        words = shlex.split(words[1].strip("$()")) if words[0] == "eval" else words
        words = words[: words.index(">")] if ">" in words else words
        if "fetch" in words or "describe" in words or (verb == "status" and "--runs" not in words):
            continue  # downloads, or composes every run there is
        said = cli(*words[1:])
        assert said.status in (0, 1 if "verify" in words else 0), words
        assert said.out


@pytest.mark.parametrize("verb", ["table", "figures", "report", "reproduce", "show", "compare"])
def test_other_examples_parse(verb: str, cli: Callable[..., Said]) -> None:
    # Nothing has been trained in this folder: they get as far as saying so.
    for words in help_of(verb, cli):
        words = words[: words.index(">")] if ">" in words else words
        if verb == "reproduce" or "--pages" in words:
            continue  # tests/study/test_experiments.py runs these, and test_page.py fills pages
        said = cli(*words[1:])
        if len(words) > 2:
            assert "repro reproduce" in said.mistake or "repro train" in said.mistake
        else:
            assert said.status in (0, 2)


def test_help_names_every_verb(cli: Callable[..., Said]) -> None:
    for words in ((), ("--help",), ("-h",), ("help",)):
        said = cli(*words)
        assert said.status == 0
        assert all(f"  {verb} " in said.out for verb in VERBS)


def test_version(cli: Callable[..., Said]) -> None:
    assert cli("--version").out == f"repro {version('repro')}\n"


def test_module_is_the_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "repro", "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: repro VERB")
    wrong = subprocess.run(
        [sys.executable, "-m", "repro", "trian"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert wrong.returncode == 2


def test_help_and_lists_import_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from repro.cli import main
for line in ("", "--help", "list", "list task c*", "figures -h", "table -h", "report -h", "show -h", "compare -h",
             "data -h", "status -h",
             "completion bash", "_complete train", "train --help", "reproduce --help"):
    try:
        main(line.split())
    except SystemExit as leaving:
        assert leaving.code == 0
    print("imported", line, *(name for name in HEAVY if name in sys.modules), sep=":")
"""
    said = python(tmp_path, code.replace("HEAVY", repr(HEAVY)))
    imported = [line.split(":")[1:] for line in said.splitlines() if line.startswith("imported:")]
    assert len(imported) == 15
    for line, *heavy in imported:
        # The last two stand on Hydra from their first line on; torch is nowhere.
        assert "torch" not in heavy if line in ("train --help", "reproduce --help") else heavy == [], (line, heavy)


def test_reader_that_stops_reading(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m repro list | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "dataset\n"
    assert done.stderr == ""


def test_reader_that_stops_reading_a_training(tmp_path: Path, tiny: tuple[str, ...], cli: Callable[..., Said]) -> None:
    assert cli("train", *tiny).status == 0
    words = shlex.join(["train", *tiny])  # `true` reads nothing
    done = subprocess.run(
        f"{sys.executable} -m repro {words} | true",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stderr == ""


# Lists


def test_list_shows_every_option(cli: Callable[..., Said]) -> None:
    out = cli("list").out
    for group in listing.GROUPS:
        assert f"\n{group}\n" in f"\n{out}"
        for name, says in listing.options(group):
            assert any(line.split() == [name, *says.split()] for line in out.splitlines())


def test_list_pattern(cli: Callable[..., Said]) -> None:
    shown = [line.split()[0] for line in cli("list", "activation", "noisy*").out.splitlines()]
    assert shown == ["activation", "noisy_sigmoid", "noisy_tanh"]
    assert "training_deep_networks/initialization" in cli("list", "experiment", "*/init*").out


# Completion


@pytest.mark.parametrize("shell", SCRIPTS)
def test_completion_script(shell: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    script = cli("completion", shell).out
    assert "repro _complete" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    (tmp_path / "script").write_text(script)
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True, timeout=300)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("repro trai", ["train"]),
        ("repro train activation=noisy_t", ["noisy_tanh"]),  # bash has split off what stands before "="
        ("repro list activ", ["activation"]),
    ],
)
def test_completion_in_bash(line: str, found: list[str], tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "repro").write_text(f'#!/bin/sh\nexec {sys.executable} -m repro "$@"\n')
    (bin_ / "repro").chmod(0o755)
    script = f"""
eval "$(repro completion bash)"
COMP_LINE='{line}' COMP_POINT={len(line)}
_repro
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    env = os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == found, done.stderr


def test_completion_answers(cli: Callable[..., Said]) -> None:
    assert complete(cli, "repro ") == list(VERBS)
    assert complete(cli, "repro tr") == ["train"]
    assert complete(cli, "repro train activation=noisy") == ["activation=noisy_sigmoid", "activation=noisy_tanh"]
    assert complete(cli, "repro train optim") == ["optimizer=", "optimizer.lr="]
    assert complete(cli, "repro train experiment=") == [f"experiment={name}" for name in names()]
    assert complete(cli, "repro reproduce training_deep_networks/i") == ["training_deep_networks/initialization"]
    assert complete(cli, "repro reproduce training_deep_networks scale=s") == ["scale=smoke"]
    assert complete(cli, "repro list act") == ["activation"]
    assert complete(cli, "repro list activation tan") == ["tanh"]
    assert complete(cli, "repro completion ") == list(SCRIPTS)
    assert complete(cli, "repro data ") == ["list", "fetch", "verify", "describe"]
    assert complete(cli, "repro data fetch m") == ["mnist", "multi30k"]
    assert complete(cli, "repro claims ") == ["check"]
    assert complete(cli, "repro compare ") == []
    assert complete(cli, "repro runs status=d") == ["status=done", "status=diverged", "status=damaged"]
    assert complete(cli, "repro runs activation=tan") == ["activation=tanh"]
    assert complete(cli, "repro diagnose x hessian=slq hessian.pro") == ["hessian.probes="]
    assert complete(cli, "repro nothing ") == []
    assert complete(cli, "") == list(VERBS)


def test_keys_that_are_completed_exist(cli: Callable[..., Said]) -> None:
    keys = {word.rstrip("=") for word in complete(cli, "repro train ") if word != "-m"}
    assert keys <= set(flatten(resolve(compose([])).settings)) | set(GROUPS)


# Train


def test_train_tells_how_it_went(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    said = cli("train", *tiny)
    assert said.status == 0
    (folder,) = (tmp_path / "results/runs/xor").iterdir()
    assert {f.name for f in folder.iterdir()} == {
        ".lock",
        "checkpoint.pt",
        "config.yaml",
        "curves.csv",
        "done.json",
        "layers.csv",
        "overview.png",
        "provenance.json",
        "summary.json",
    }
    assert {f.name for f in tmp_path.iterdir()} == {"results"}  # no log file of Hydra's
    for part in (
        "test accuracy",
        "test loss",
        "vanishing ratio",
        "what is wrong",
        f"repro show {folder.relative_to(tmp_path)}",
    ):
        assert part in said.out
    assert len(said.out.splitlines()) <= 20
    assert str(folder.relative_to(tmp_path)) in said.out
    lines = said.err.splitlines()  # no terminal: a line an epoch, no bar
    assert [line.split("  ")[:2] for line in lines] == [["epoch 0", "step 0/3"], ["epoch 1", "step 3/3"]]
    assert (folder / "overview.png").read_bytes()[:4] == b"\x89PNG"
    summary = json.loads((folder / "summary.json").read_text())
    curves = pd.read_csv(folder / "curves.csv").set_index(["step", "split", "metric"])["value"]
    assert summary["metrics"]["0"]["test_accuracy"] == curves[3, "test", "accuracy"]
    assert OmegaConf.load(folder / "config.yaml").architecture.width == 8
    provenance = json.loads((folder / "provenance.json").read_text())
    assert {"commit", "dirty", "versions", "platform", "device", "threads", "argv", "started", "finished"} <= set(
        provenance
    )
    shown = cli("show", str(folder.relative_to(tmp_path)))
    assert shown.status == 0
    for part in ("mean", "std", "saturated", "gradient norm", "hidden.1", "test accuracy", "vanishing ratio"):
        assert part in shown.out
    assert shown.out.splitlines()[-1] == said.out.splitlines()[-1]
    again = cli("train", *tiny)
    assert again.out.startswith("already trained; force=true trains it anew")
    assert again.err == ""


def test_configuration_can_be_looked_at(cli: Callable[..., Said], tmp_path: Path) -> None:
    said = cli("train", "--cfg", "job", "activation=relu", "architecture.depth=3")
    assert said.status == 0
    shown = OmegaConf.create(said.out)
    assert shown.architecture.depth == 3
    assert shown.activation.unit._target_ == "torch.nn.ReLU"
    assert list(tmp_path.iterdir()) == []


def test_experiment_null_is_the_default(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    for words in (["train", "experiment=null"], ["train", "-m", "experiment=null"]):
        assert cli(*words, *tiny, "diagnostics=none").status == 0
    assert len(list((tmp_path / "results/runs/xor").iterdir())) == 1


def test_status_is_what_main_returns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "backward"]) == 0
    assert main(["list", "nothing"]) == 2
    capsys.readouterr()


def test_interrupt_before_a_run(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Said]) -> None:
    monkeypatch.setattr("repro.cli._dispatch", Mock(side_effect=KeyboardInterrupt))
    said = cli("list")
    assert (said.status, said.err) == (130, "\nrepro: interrupted\n")


def test_short_name_of_a_setting_is_explained(cli: Callable[..., Said]) -> None:
    assert "optimizer.lr" in cli("train", "lr=0.1").mistake
    assert "architecture.depth" in cli("train", "depth=3").mistake


def test_finished_run_is_still_checked(cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "trustme.py").write_text("import torch\n\n\nclass Unit(torch.nn.Tanh):\n    pass\n")
    words = ("train", *tiny, "activation.unit._target_=trustme.Unit")
    assert cli(*words, "trusted=[trustme]").status == 0
    assert "trusted=[trustme]" in cli(*words).mistake


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """What git answers, and what it is asked, in a process that has asked nothing yet."""
    asked: list[tuple[str, ...]] = []
    answers = {"rev-parse": "abc", "diff": ""}
    monkeypatch.setattr(provenance, "_git", lambda *words: asked.append(words) or answers[words[0]])
    monkeypatch.setattr(provenance, "_commit", cache(provenance._commit.__wrapped__))
    return answers, asked


def test_pages_and_results_do_not_make_a_run_dirty(git: tuple[dict[str, str], list[tuple[str, ...]]]) -> None:
    answers, asked = git
    assert code_version() == ("abc", False)
    answers["diff"] = "src/repro/cli.py"
    assert code_version() == ("abc", True)
    looked_at = asked[1][asked[1].index("--") + 1 :]
    assert {"src", "conf"} <= set(looked_at)
    assert not any(part in path for path in looked_at for part in ("README", "results", ".py"))


def test_a_sweep_keeps_the_commit_it_was_started_with(git: tuple[dict[str, str], list[tuple[str, ...]]]) -> None:
    answers, asked = git
    code_version()
    answers["rev-parse"] = "committed beside it"
    assert code_version() == ("abc", False)
    assert [words[:3] for words in asked if words[0] == "diff"] == [("diff", "--name-only", "abc")] * 2
