"""Configuration, tables, checkpoints and data files are data: each attack that would make more of them is tried.

Most attacks carry `touch canary`: without the defence, the file is there. How pages escape every cell and which
drawings they refuse is in test_report.py, data files are in test_security_files.py.
"""

import base64
import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from conftest import Said, Trained, Trap
from pages import Elements, drawings
from repro.config.build import build, check_node
from repro.config.yaml_files import load
from repro.errors import UserError
from repro.paths import PACKAGE
from repro.text.tables import table
from repro.training import checkpoint
from repro.training.run import train
from repro.verbs.show import present

TOUCH = {"_target_": "os.system", "command": "touch canary"}
TANH = "_target_: repro.model.activations.Activation\nunit: {_target_: torch.nn.Tanh, _partial_: true}\n"
TANH += "gate: {_target_: torch.nn.Sigmoid, _partial_: true}\n"


def refusal(settings: dict[str, Any], *trusted: str) -> str:
    """What the door says, first when it is asked only to look."""
    with pytest.raises(UserError):
        check_node(settings, "activation", trusted)
    with pytest.raises(UserError) as caught:
        build(settings, "activation", trusted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Targets


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.run",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "torch.ops.load_library",
        "numpy.load",
        "pathlib.Path",
        "hydra.utils.instantiate",
        "reproduction.Job",
        "torch.nnn.Tanh",
        "repro",
        "torch.nn",
    ],
)
def test_forbidden_target(target: str, canary: Path) -> None:
    says = refusal({"_target_": target, "command": "touch canary"})
    assert f"activation._target_ is '{target}'" in says
    assert "allowed: repro.*, torch.nn.*, torch.optim.*" in says
    assert f"trusted=[{target.partition('.')[0]}]" in says
    assert not canary.exists()


@pytest.mark.parametrize(
    "target",
    [
        # what our modules import
        "repro.training.run.os.system",
        "repro.training.run.shutil.rmtree",
        "repro.training.provenance.subprocess.run",
        "repro.datasets.table.Path",
        "repro.datasets.cifar10.joined",
        "repro.training.run",
        "repro.paths.CLONE.unlink",
        # what torch's modules import
        "torch.nn.modules.module.torch.load",
        "torch.nn.functional.torch.hub.load",
        "torch.nn.functional.importlib",
        "torch.optim.lr_scheduler.types.FunctionType",
        "torch.optim.lr_scheduler.partial",
        # what every class and function leads to
        "torch.nn.Tanh.__init__.__globals__",
        "torch.nn.Tanh.__subclasses__",
        "torch.nn.Tanh.forward.__code__.replace",
        "torch.nn.Embedding.from_pretrained",
        "torch.nn.attention._fa4.register_flash_attention_fa4",
        # ours, but nothing that a run is made of
        "repro.cli.main",
        "repro.__main__.main",
        "repro.config.build.build",
        "repro.config.build._imported",
        "repro.verbs.train.main",
        "repro.storage.files.write_atomic",
        "repro.training.run._empty",
        "repro.training.checkpoint.load",
        "repro.datasets.store.files.fetch",
        "repro.datasets.store.files._discard_broken",
        "repro.datasets.store.checksums.read",
    ],
)
def test_detours_through_what_is_allowed(target: str, canary: Path) -> None:
    assert "is no part of a run" in refusal({"_target_": target, "command": "touch canary", "target": "os.system"})
    assert not canary.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"_target_": "torch.nn.Tanh", "_args_": [TOUCH]},
        {"_target_": "torch.nn.Tanh", "_partial_": True, "_recursive_": False, "_args_": [TOUCH]},
        {"_target_": "torch.nn.Tanh", "_convert_": TOUCH},
        {"_target_": "repro.model.activations.Activation", "unit": TOUCH, "gate": None},
        {"_target_": "repro.model.activations.Activation", "unit": {"deeper": TOUCH}, "gate": None},
        {"_target_": "repro.model.activations.Activation", "unit": TOUCH | {"_partial_": True}, "gate": None},
        {"_target_": "torch.nn.Sequential", "_args_": [[[TOUCH]]]},
    ],
)
def test_forbidden_target_anywhere_inside(settings: dict[str, Any], canary: Path) -> None:
    assert "_target_ is 'os.system'" in refusal(settings)
    assert not canary.exists()


def test_a_value_does_not_become_a_node_while_it_is_built(canary: Path) -> None:
    hidden = "${oc.create:{_target_:os.system,command:'touch canary'}}"
    settings = {"_target_": "repro.model.activations.Activation", "unit": hidden, "gate": None}
    assert "activation.unit must be a plain value" in refusal(settings)
    assert "activation._args_.0 must be a plain value" in refusal({"_target_": "torch.nn.Tanh", "_args_": [hidden]})
    assert not canary.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["activation={_target_: os.system, command: touch canary}"],
        ["+activation.more=[{_target_: os.system, command: touch canary}]"],
        ["activation.unit=${oc.create:{_target_: os.system, command: touch canary}}"],
        [r"activation.unit='\${oc.create:{_target_: os.system, command: touch canary}}'"],
        ["activation={_target_: repro.cli.main, argv: [data, list]}"],
    ],
)
def test_targets_on_the_command_line(words: list[str], cli: Callable[..., Said], tmp_path: Path) -> None:
    assert "activation" in cli("train", "dataset=xor", *words).mistake
    assert list(tmp_path.iterdir()) == []


# Files of a conf/ that somebody else wrote

GLOBAL = "# @package _global_\n"
LOGGER = "job_logging: {handlers: {x: {(): os.system, command: touch canary}}}"
CALLBACK = "callbacks: {x: {_target_: os.system, command: touch canary}}"
CONF = {
    "target": ("activation/evil.yaml", "_target_: os.system\ncommand: touch canary\n", "allowed: repro.*"),
    "trust": ("activation/evil.yaml", f"{GLOBAL}trusted: [os]\nactivation: {json.dumps(TOUCH)}\n", "trusted=[os]"),
    "tag": ("activation/evil.yaml", "_target_: !!python/object/apply:os.system ['touch canary']\n", "no YAML file of"),
    "tag for a name": ("activation/evil.yaml", "unit: !!python/name:os.system\n" + TANH, "no YAML file of plain"),
    "callback": ("activation/evil.yaml", f"{GLOBAL}hydra: {{{CALLBACK}}}\nactivation:\n", "Hydra's own"),
    "logger": ("activation/evil.yaml", f"{GLOBAL}hydra: {{{LOGGER}}}\nactivation:\n", "Hydra's own"),
    "package": ("activation/evil.yaml", f"# @package hydra\n{CALLBACK}\n", "Hydra's own"),
    "package by name": ("activation/hydra.yaml", f"# @package _name_\n{CALLBACK}\n", "Hydra's own"),
    "defaults": ("activation/evil.yaml", f"defaults: [/part@_global_.hydra.callbacks: x, _self_]\n{TANH}", "Hydra's"),
    "a folder of Hydra's": ("hydra/job_logging/evil.yaml", LOGGER.partition(": ")[2], "Hydra's own"),
    "aliases": (
        "activation/evil.yaml",
        TANH
        + "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
        "more than 100,000 values",
    ),
    "an alias of itself": ("activation/evil.yaml", f"{TANH}a: &a [*a]\n", "more than 100,000 values"),
    "depth": ("activation/evil.yaml", f"{TANH}a: {'[' * 1200}\n", "no YAML file of plain values"),
}


@pytest.mark.parametrize("name", CONF)
def test_conf_of_somebody_else(name: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    file, text, says = CONF[name]
    for path, content in ((file, text), ("part/x.yaml", f"x: {json.dumps(TOUCH)}\n")):
        (tmp_path / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / path).write_text(content)
    folder, _, option = file.removesuffix(".yaml").rpartition("/")
    assert says in cli("train", "dataset=xor", f"{folder}={option}").mistake
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]
    said = cli("train", "-m", "dataset=xor", "trainer.steps=0", f"{folder}={option}")
    assert said.status in (1, 2)
    assert says in said.err
    assert not (tmp_path / "canary").exists()


def test_a_launcher_of_ones_own_is_still_one(cli: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / "conf/hydra/launcher/mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n")
    assert cli("train", "-m", "hydra/launcher=mine", "dataset=xor", "trainer.steps=0", "seed=0").status == 0
    path.write_text(json.dumps(TOUCH))
    said = cli("train", "-m", "hydra/launcher=mine", "dataset=xor", "trainer.steps=0", "seed=0")
    assert said.status != 0
    assert "hydra_plugins" in said.err
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "words",
    [
        "dataset=../activation/tanh",
        "activation=../activation/tanh",
        "task=../../conf/task/classification",
        "experiment=../train",
        "experiment=../../../etc/passwd",
        "variant=../x",
    ],
)
def test_names_that_lead_out_of_their_folder(words: str, cli: Callable[..., Said], tmp_path: Path) -> None:
    assert words.partition("=")[0] in cli("train", words).mistake
    assert list(tmp_path.iterdir()) == []


def test_experiment_files_are_plain_values(cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.study.experiment.experiments_dir", lambda: tmp_path / "experiments")
    (tmp_path / "experiments/paper").mkdir(parents=True)
    tag = "reproduction: !!python/object/apply:os.system ['touch canary']\n"
    (tmp_path / "experiments/paper/evil.yaml").write_text(tag)
    for verb in ("reproduce", "status", "table"):
        assert "no YAML file of plain values" in cli(verb, "paper/evil").mistake
    assert "unknown paper or experiment '../paper'" in cli("figures", "../paper").mistake
    assert not (tmp_path / "canary").exists()


def test_reading_yaml_runs_into_every_refusal(tmp_path: Path) -> None:
    for text in (b"\xff\xfe\x00", b"a: [", b"{" * 1200):
        (tmp_path / "x.yaml").write_bytes(text)
        with pytest.raises(UserError, match="no YAML file of plain values"):
            load(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_text("a: &a {b: 1}\nc: [*a, *a]\n")
    assert load(tmp_path / "x.yaml") == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}


# Runs that somebody else sent


@pytest.fixture
def sent(trained: Callable[..., Trained], canary: Path) -> Path:
    del canary  # for its working folder
    return trained("trainer.steps=1").folder


@pytest.mark.parametrize(
    "change",
    [
        {"trusted": ["os"], "activation": TOUCH},
        {"trusted": ["os"], "activation": {"unit": TOUCH}},
        {"activation": {"unit": "${oc.create:{_target_:os.system,command:'touch canary'}}"}},
        {"architecture": {"_target_": "repro.cli.main", "argv": ["data", "list"]}},
    ],
)
def test_diagnosing_a_run_does_not_run_its_settings(
    change: dict[str, Any], sent: Path, cli: Callable, canary: Path
) -> None:
    settings = OmegaConf.merge(OmegaConf.load(sent / "config.yaml"), OmegaConf.create())
    for key, value in change.items():
        whole = not isinstance(value, dict) or "_target_" in value
        settings[key] = value if whole else OmegaConf.to_container(settings[key]) | value
    (sent / "config.yaml").write_text(OmegaConf.to_yaml(settings))
    says = cli("diagnose", str(sent)).mistake
    assert re.search(r"allowed: repro|must be a plain value|is no part of a run", says)
    assert not canary.exists()


def test_saved_settings_are_plain_values(
    sent: Path, cli: Callable, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (sent / "config.yaml").read_text()
    (sent / "config.yaml").write_text("seed: !!python/object/apply:os.system ['touch canary']\n")
    assert "no YAML file of plain values" in cli("diagnose", str(sent)).mistake
    assert cli("show", str(sent), "--html").status == 0
    assert cli("compare", str(sent), str(sent)).status in (0, 2)
    assert not canary.exists()
    (sent / "config.yaml").write_text("- a list\n")
    assert "has no settings of a run" in cli("diagnose", str(sent)).mistake
    # What a run's file asks of the reader's environment is not looked up.
    monkeypatch.setenv("SECRET", "xyzzy")
    (sent / "config.yaml").write_text(good.replace("repro.model.activations.Activation", "${oc.env:SECRET}"))
    assert "xyzzy" not in cli("diagnose", str(sent)).mistake


@pytest.mark.parametrize("how", ["code", "compressed"])
def test_checkpoints_hold_tensors_and_plain_values(how: str, trained: Callable, canary: Path, tmp_path: Path) -> None:
    one = trained("trainer.steps=1")
    (one.folder / "done.json").unlink()
    state: Any = Trap() if how == "code" else torch.zeros(10**6)
    for name in checkpoint.NAMES:
        torch.save({"format": checkpoint.FORMAT, "run": one.run.id, "state": state}, one.folder / name)
        if how == "compressed":  # grows a thousandfold when it is read
            with (
                zipfile.ZipFile(one.folder / name) as old,
                zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as new,
            ):
                for part in old.namelist():
                    new.writestr(part, old.read(part))
            (tmp_path / "x").replace(one.folder / name)
    with pytest.raises(UserError, match=r"checkpoint\.pt is damaged .*previous\.pt is damaged .*force=true"):
        train(one.run)
    assert not canary.exists()


def test_the_page_of_a_run_shows_what_it_says_and_runs_nothing(sent: Path, cli: Callable) -> None:
    evil = "</pre></style></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    summary = json.loads((sent / "summary.json").read_text())
    summary |= {"device": evil, "data": evil, "settings": dict.fromkeys(summary["settings"], evil) | {evil: evil}}
    (sent / "summary.json").write_text(json.dumps(summary))
    (sent / "config.yaml").write_text(f"# {evil}\n")
    (sent / "provenance.json").write_text(json.dumps({"commit": evil, "versions": {evil: evil}}))
    layers = (sent / "layers.csv").read_text().replace("hidden.", "<script>alert(1)</script>")
    (sent / "layers.csv").write_text(layers)
    (sent / "javascript:alert(1);.csv").write_text("a\n")
    folder = sent.rename(sent.parent / '"><img src=x onerror=alert(1)>')
    assert cli("show", str(folder), "--html").status == 0
    source = (folder / "index.html").read_text()
    page = Elements(source)
    assert "<script>alert(1)</script>" in page.text
    assert not [tag for tag, _ in page.found if tag in ("script", "iframe", "object", "base", "form")]
    assert len(drawings(page)) > 2
    assert not [key for _, attributes in page.found for key in attributes if key.startswith("on")]
    assert not [href for href in page.all("href") if re.match(r"\s*\w+:(?!,)|//", href)]
    (policy,) = (content for content in page.all("content") if "default-src" in content)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.keys() == {"default-src", "img-src", "style-src", "script-src"}
    assert rules["default-src"] == "'none'"
    script = (PACKAGE / "html/templates/filter.js").read_bytes()
    assert rules["script-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def test_nothing_a_terminal_would_obey_is_printed(
    sent: Path, cli: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = cli("train", "dataset=xor", "activation=\x1b[2Jx")
    assert said.status == 2
    assert "\x1b" not in said.err
    (sent / "failed.json").write_text(json.dumps({"error": "\x1b]0;title\x07 \x9b31m"}))
    (sent / "done.json").rename(sent / "kept")
    assert r"failed: \x1b]0;title\x07 \x9b31m" in cli("show", str(sent)).mistake
    (sent / "kept").rename(sent / "done.json")
    summary = json.loads((sent / "summary.json").read_text())
    summary["settings"] = dict.fromkeys(summary["settings"], "\x1b[2J")
    (sent / "summary.json").write_text(json.dumps(summary))
    monkeypatch.setattr("repro.plots.overview.draw", lambda folder: folder)  # matplotlib warns of what has no shape
    present(sent)
    assert "\x1b" not in capsys.readouterr().out


def test_cells_are_text_in_latex_and_markdown() -> None:
    rows = pd.DataFrame({"says": [r"\input{/etc/passwd} \write18{touch canary} ^^5cinput $\x$ % # & _ ~"], "n": [1]})
    line = table(rows, "latex").splitlines()[4].removesuffix(r" & 1 \\")
    known = r"\\(?:[&%$#_{}]|textbackslash\{\}|textasciicircum\{\}|textasciitilde\{\})"
    assert not re.search(r"[\\&%$#_^~]", re.sub(known, "", line))
    shown = table(pd.DataFrame({"says": ["a | <script>alert(1)</script>"]}), "markdown")
    assert shown.splitlines()[2] == r"| a \| &lt;script>alert(1)&lt;/script> |"
