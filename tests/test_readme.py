"""The commands of README, docs/ and the papers' pages do what they say, cut short where they train for long."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from repro.cli import main
from repro.config.groups import CAPABILITIES
from repro.datasets.store import files
from repro.plots.style import save
from repro.storage.schema import SERIES
from repro.training.run import LOOKED_AT

CLONE = Path(__file__).parent.parent
PAGES = [CLONE / "README.md", *sorted(CLONE.glob("docs/*.md")), *sorted(CLONE.glob("experiments/*/README.md"))]
SHORT = ("trainer.steps=2", "diagnostics.probe=16")


def commands() -> Iterator[str]:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("repro "):
                    yield line.partition("  #")[0].strip()


CLUSTERS = ("hydra/launcher=submitit_slurm", "hydra/launcher=ray")
COMMANDS = list(dict.fromkeys(commands()))


def test_pages_have_commands() -> None:
    assert len(COMMANDS) > 15
    assert "repro train activation=noisy_tanh" in COMMANDS


def test_the_page_on_runs_lists_their_files() -> None:
    text = (CLONE / "docs/runs.md").read_text()
    tables = {f"{name}.csv" for name in [*SERIES, *(file for file, _ in LOOKED_AT.values())]}
    others = {"config.yaml", "provenance.json", "summary.json", "done.json", "failed.json", "checkpoint.pt"}
    assert tables | others | {"overview.png", "lr_finder.png", "index.html"} <= set(re.findall(r"`([\w.]+)`", text))


def test_the_page_on_parts_names_what_they_may_declare() -> None:
    text = (CLONE / "docs/own_parts.md").read_text()
    lists = re.findall(r"`(?:_declares_: )?\[([\w, ]+)\]`", text)
    assert CAPABILITIES.keys() <= {word for words in lists for word in words.split(", ")}


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = PAGES[0].read_text()
    assert len(text.splitlines()) <= 150
    for page in PAGES[1:]:
        assert f"({page.relative_to(CLONE).as_posix()})" in text


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what the pages speak of: a table and a part of one's own."""
    monkeypatch.chdir(tmp_path)
    # Another test's package of that name, in another working folder.
    monkeypatch.delitem(sys.modules, "mypackage", raising=False)
    rows = "\n".join(f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "my.csv").write_text(f"x,y,species\n{rows}\n")
    rows = "\n".join(f"2024-01-{i % 28 + 1:02};{i * 7 % 60},5;{200 + i * 7 % 60}" for i in range(60))
    (tmp_path / "prices.csv").write_text(f"date;size;price\n{rows}\n")
    (tmp_path / "conf/activation").mkdir(parents=True)
    text = (CLONE / "docs/own_parts.md").read_text()
    yaml = re.search(r"conf/activation/sine.yaml +(.*?)\nmypackage.py", text, re.DOTALL)
    assert yaml is not None
    lines = [line.strip() for line in yaml.group(1).splitlines()]
    (tmp_path / "conf/activation/sine.yaml").write_text("\n".join(["# Sine.", *lines[1:]]) + "\n")
    code = "import torch\n\n\nclass Sine(torch.nn.Module):\n    def forward(self, x):\n        return torch.sin(x)\n"
    (tmp_path / "mypackage.py").write_text(code)
    return tmp_path


# Data that no test downloads, and what of a command's words says that it needs them.
MIRRORS = {
    "mnist": ("mnist", "digit_net"),
    "cifar10": ("cifar10",),
    "penn_treebank": ("penn_treebank",),
    "multi30k": ("multi30k",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(
    command: str, workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(command)[1:]
    verb = words[0]
    monkeypatch.setattr("repro.plots.experiment.save", partial(save, formats=["svg"]))  # half the work
    if any(word in CLUSTERS for word in words):  # tests/launchers has these; the rest of the words is tried here
        words = [w for w in words if w not in CLUSTERS and not w.lstrip("+").startswith("hydra.launcher")]
    for name, told_by in MIRRORS.items():
        if any(part in word for word in words for part in told_by) and not _here(name):
            pytest.skip(f"REPRO_DATA is not set to a mirror with {name}")
    if verb == "train" and "hydra/launcher=joblib" in words:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="extra `sweep` is not installed")
    if "hydra/sweeper=optuna" in words:
        pytest.importorskip("optuna", reason="extra `search` is not installed")
        words += ["hydra.sweeper.n_trials=2"]
    if verb == "train" and "--cfg" not in words:
        if "procedure=" in command:
            words += ["procedure.steps=10"]
        else:
            words += [w for w in SHORT if w.split("=")[0] not in command]
        words += ["dataset.held_out=2000"] if "penn_treebank" in command else []
        if "multi30k" in command:
            pytest.importorskip("sacremoses", reason="extra `text` is not installed")
            words += ["dataset.subset=200", "dataset.held_out=4", "architecture.width=8", "task.longest=5"]
    elif verb == "reproduce":
        words = [verb, words[1], "--help"]  # run at smoke scale in test_experiments
    elif verb in ("status", "table", "figures", "report", "playground"):
        words += ["--results-dir", str(CLONE / "results")]
        words += ["--out", str(workplace / verb)] if verb in ("figures", "report", "playground") else []
    elif verb in ("show", "compare", "diagnose") or (verb == "data" and words[1] == "fetch"):
        words = [verb, "--help"]
    if "hydra/launcher=joblib" in words:  # whose pool and idle workers stay for as long as their process lives
        command = [sys.executable, "-m", "repro", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        return
    if "--help" in words and verb in ("show", "compare", "diagnose", "data"):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0
    else:
        assert main(words) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.usefixtures("undrawn")
def test_runs_are_found_by_the_names_that_stand_on_the_pages(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After every training of README and docs/ that needs no data or launcher, `make train` among them."""
    readme = "".join(page.read_text() for page in PAGES if page.parent.parent.name != "experiments")
    trainings = [
        c
        for c in COMMANDS
        if c.startswith("repro train")
        and "dataset=" not in c
        and "launcher" not in c
        and "sweeper" not in c
        and "--cfg" not in c
        and "trusted" not in c
        and "procedure" not in c
        and f"\n{c}" in readme
    ]
    assert "repro train activation=noisy_tanh" in trainings
    for command in trainings:
        assert main([*shlex.split(command)[1:], *SHORT, "trainer.eval_every=0"]) == 0
    named = [c for c in COMMANDS if c.startswith(("repro show", "repro compare")) and f"\n{c}" in readme]
    assert len(named) == 2
    for command in named:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert len(list(workplace.rglob("index.html"))) == 1


def _here(name: str) -> bool:
    return any(status.name == name and status.where in ("mirror", "cache") for status in files.statuses())
