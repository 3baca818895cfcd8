"""Files of a run, and launchers in somebody's conf/: nothing is followed, waited for, overwritten or run."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said
from repro.errors import UserError
from repro.storage.files import open_regular, read_json
from repro.storage.run_files import NEEDED, SUMMARY, fits

SMALL = ("dataset=xor", "architecture.width=4", "trainer.epochs=1")
TOUCH = '{_target_: os.system, command: "touch canary"}'
BASIC = "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n"
LAUNCHERS = {
    "nested": f"{BASIC}anything: {TOUCH}\n",
    "in a list": f"{BASIC}anything: [[{TOUCH}]]\n",
    "other target": TOUCH + "\n",
    "arguments": f"{BASIC}_args_: [{TOUCH}]\n",
    "hidden": BASIC + "anything: '${oc.create:{_target_:os.system,command:touch canary}}'\n",
    "looked up": BASIC + "anything: ${activation}\n",
    "submitit's shell": "_target_: hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher\n"
    "setup: [touch canary]\n",
}
SWEEPERS = {
    "nested": f"_target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\nmax_batch_size: {TOUCH}\n",
    "words": '_target_: hydra_plugins.repro_plugin.sweeper.ReproductionSweeper\njobs: [["trusted=[os]"]]\n',
}
PLUGINS = {("launcher", k): v for k, v in LAUNCHERS.items()} | {("sweeper", k): v for k, v in SWEEPERS.items()}


@pytest.mark.parametrize(
    ("verb", "kind", "name"),
    # `reproduce` has a sweeper of its own.
    [*(("train", *one) for one in PLUGINS), *(("reproduce", *one) for one in PLUGINS if one[0] == "launcher")],
)
def test_launchers_and_sweepers_of_somebody_else(
    verb: str, kind: str, name: str, cli: Callable[..., Said], canary: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "conf" / "hydra" / kind
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text(PLUGINS[kind, name])
    words = ("-m", *SMALL) if verb == "train" else ("training_deep_networks/initialization", "scale=smoke")
    said = cli(verb, *words, f"hydra/{kind}=x")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert "x.yaml" in said.err
    assert f"hydra.{kind}" in said.err
    assert not canary.exists()


def test_a_plain_launcher_of_one_s_own_will_do(cli: Callable[..., Said], tmp_path: Path, undrawn: None) -> None:
    del undrawn
    folder = tmp_path / "conf" / "hydra" / "launcher"
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text(BASIC)
    assert cli("train", "-m", *SMALL, "hydra/launcher=x").status == 0


@pytest.fixture
def run(cli: Callable[..., Said], tmp_path: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("repro.verbs.show.present", lambda folder, **_: print(folder))
        assert cli("train", *SMALL).status == 0
    (done,) = tmp_path.rglob("done.json")
    return done.parent


def test_a_run_s_folder_that_is_a_link_is_not_emptied(run: Path, cli: Callable[..., Said], tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    run.rename(precious)
    run.symlink_to(precious)
    before = sorted(path.name for path in precious.iterdir())
    assert "is a link" in cli("train", *SMALL, "force=true").mistake
    assert sorted(path.name for path in precious.iterdir()) == before


@pytest.mark.parametrize("name", ["curves.csv", "layers.csv", ".lock", "checkpoint.pt", "checkpoint.partial.pt"])
def test_nothing_is_written_through_a_link(name: str, run: Path, cli: Callable[..., Said], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (run / "done.json").unlink()
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(target)
    said = cli("train", *SMALL)
    assert "Traceback" not in said.err
    assert target.read_text() == "precious"


@pytest.mark.parametrize("verb", ["show", "show --html", "diagnose"])
@pytest.mark.parametrize("name", ["summary.json", "config.yaml"])
def test_no_link_is_read(verb: str, name: str, run: Path, cli: Callable[..., Said], tmp_path: Path) -> None:
    other = tmp_path / "secret"
    (run / name).rename(other)
    (run / name).symlink_to(other)
    verb, *flags = verb.split()
    said = cli(verb, str(run), *flags, *(["hessian=lanczos"] if verb == "diagnose" else []))
    if (verb, name, flags) == ("show", "config.yaml", []):
        assert said.status == 0  # which does not read it
    else:
        assert "no regular file" in said.err
        assert said.status == 2


def test_a_pipe_is_not_waited_for(run: Path, cli: Callable[..., Said]) -> None:
    (run / "summary.json").unlink()
    os.mkfifo(run / "summary.json")
    assert "no regular file" in cli("show", str(run)).mistake
    with pytest.raises(UserError, match="no regular file"):
        read_json(run / "summary.json")
    with pytest.raises(UserError, match="no regular file"):
        open_regular(run)


DAMAGES = ["{}", "[]", "3", '{"run": 3}', '{"metrics": {"0": {"test_loss": "x"}}}', '{"seeds": [true]}', "\x00", "{"]


def test_settings_that_say_nothing_are_drawn(run: Path, cli: Callable[..., Said]) -> None:
    path = run / "summary.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"settings": {}}))
    assert cli("show", str(run)).status == 0
    path.write_text(json.dumps(whole | {"evaluated": 3}))
    assert "is damaged" in cli("show", str(run)).mistake


LACKS = [f"without {key}" for key in SUMMARY]
DAMAGED = {"show": [*DAMAGES, *LACKS], "diagnose": [*DAMAGES, *LACKS[::3]], "train": [*DAMAGES, *LACKS[1::6]]}


@pytest.mark.parametrize(("verb", "damage"), [(verb, damage) for verb, found in DAMAGED.items() for damage in found])
def test_a_damaged_summary_is_one_line(verb: str, damage: str, run: Path, cli: Callable[..., Said]) -> None:
    path = run / "summary.json"
    whole = json.loads(path.read_text())
    assert all(fits(whole[key], shape) for key, shape in SUMMARY.items() if key in whole)
    assert {*NEEDED} <= whole.keys() <= SUMMARY.keys()
    changed = damage if damage in DAMAGES else json.dumps({k: v for k, v in whole.items() if f"without {k}" != damage})
    path.write_text(changed)
    words = {"show": (str(run),), "diagnose": (str(run), "hessian=lanczos"), "train": SMALL}[verb]
    said = cli(verb, *words)
    needed = damage in DAMAGES or damage.removeprefix("without ") in NEEDED
    if needed and verb != "train":  # which skips what is done
        assert "is damaged" in said.mistake
    assert said.status == 0 or "is damaged" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "text",
    [
        "activation: 5\ntrainer: [1]\n",
        "trainer: {}\ndiagnostics: 3\nchoices: {}\n",
        "trainer: {epochs: x}\ndiagnostics: {}\nchoices: {dataset: [1]}\n",
    ],
)
def test_settings_of_other_types_are_one_line(text: str, run: Path, cli: Callable[..., Said]) -> None:
    (run / "config.yaml").write_text(text)
    says = cli("diagnose", str(run), "hessian=lanczos").mistake
    assert "config.yaml" in says
    (run / "config.yaml").write_bytes(b"\xff\xfe\x00")
    assert "config.yaml" in cli("diagnose", str(run), "hessian=lanczos").mistake
    assert cli("show", str(run), "--html").status == 0
