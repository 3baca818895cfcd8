"""The end of a run in words, and `repro show`."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import fabricated
from conftest import TINY, Said
from pages import Elements
from repro.cli import main
from repro.errors import UserError
from repro.html.run import command
from repro.storage.files import read_json
from repro.storage.run_files import read_summary
from repro.text.result import brief, finding, headline
from repro.text.run import text
from repro.verbs import show


def line(said: str, start: str) -> str:
    return next(row for row in said.splitlines() if row.startswith(start))


def test_text_of_one_run_has_metrics_layers_ratio_cost_and_folder(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path / "run", depth=30)
    said = text(folder)
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]["0"]
    assert line(said, "test accuracy").split()[-1] == f"{metrics['test_accuracy']:.4g}"
    assert "±" not in said
    assert "layers at step 40" in said
    header = line(said, "layer ")
    for heading in ("mean", "std", "saturated", "dead", "gradient norm", "weight gradient norm"):
        assert heading in header
    assert [row.split()[0] for row in said.splitlines() if row.startswith("hidden.")] == [
        f"hidden.{i}" for i in range(30)
    ]
    assert line(said, "hidden.4 ").split()[1:5] == ["0.01", "0.55", "0.25", "0"]
    assert len({len(row) for row in said.splitlines() if row.startswith("hidden.")}) == 1, "columns are not aligned"
    assert line(said, "vanishing ratio, step 0").split()[4] == f"{0.3**29:.4g}"
    assert line(said, "vanishing ratio, step 40")
    assert line(said, "steps").split(maxsplit=1)[1] == "40 (2 epochs)"
    assert line(said, "seconds").split(maxsplit=1)[1] == "1.5, 26.67 steps/s on cpu"
    assert line(said, "folder").split(maxsplit=1)[1] == str(folder)


def test_text_of_replicas_gives_mean_interval_and_n(tmp_path: Path) -> None:
    said = text(fabricated.run_folder(tmp_path, seeds=range(5)))
    assert re.search(r"test accuracy +0\.\d+ ± 0\.\d+ \(n=5\)", said)
    assert "layers at step 40, mean of 5 seeds" in said


def test_text_says_who_diverged_and_leaves_it_out(tmp_path: Path) -> None:
    said = text(fabricated.run_folder(tmp_path, seeds=range(3), diverged={2: 20}))
    assert "1 of 3 seeds diverged (seed 2 at step 20)" in said
    assert "left out" in said
    assert "(n=2)" in line(said, "test accuracy")
    assert "mean of 2 seeds" in said


def test_text_of_a_diverged_run_shows_the_last_finite_layers(tmp_path: Path) -> None:
    said = text(fabricated.run_folder(tmp_path, diverged={0: 20}))
    assert "diverged at step 20: the loss was no longer finite" in said
    assert "layers at step 0" in said
    assert "test accuracy" not in said
    assert "vanishing ratio, step 5" not in said


def test_text_without_layers_or_steps(tmp_path: Path) -> None:
    assert "no layer was measured" in text(fabricated.run_folder(tmp_path / "a", measured=False))
    said = text(fabricated.run_folder(tmp_path / "b", steps=(0,)))
    assert said.count("vanishing ratio") == 1
    assert "steps/s" not in said
    linear = text(fabricated.run_folder(tmp_path / "c", depth=0))
    assert line(linear, "output").split()[1:] == ["0.7"]
    assert "vanishing" not in linear


def test_headline_names_only_what_is_unusual() -> None:
    plain = {
        "choices.dataset": "digits",
        "choices.architecture": "cnn",
        "choices.activation": "relu",
        "seed": 0,
        "choices.normalization": "none",
        "choices.backward": "exact",
        "choices.initialization": "normal",
        "initialization.std": 0.01,
        "choices.optimizer": "adam",
    }
    assert headline(plain) == "digits · cnn · relu · normal, std 0.01 · adam · seed 0"
    assert "linear backprop" in headline(plain | {"choices.backward": "linear"})
    assert "noisy_tanh (NAH)" in headline(plain | {"choices.activation": "noisy_tanh", "activation.noise": "nah"})


# --- the verb ---------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "digits/mlp-tanh-seed0-aaaa111111",
        "digits/mlp-tanh-seed1-bbbb222222",
        "mnist/cnn-relu-seed0-cccc333333",
    ):
        fabricated.run_folder(tmp_path / "results" / "runs" / name, seeds=[int(name.partition("seed")[2][0])])
    return tmp_path / "results" / "runs"


def test_show_prints_and_draws(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "cccc333333"]) == 0
    said = capsys.readouterr().out
    assert "test accuracy" in said
    assert said.splitlines()[-1].endswith("results/runs/mnist/cnn-relu-seed0-cccc333333/overview.png")
    assert (runs / "mnist/cnn-relu-seed0-cccc333333/overview.png").is_file()


@pytest.mark.parametrize(
    "asked",
    ["results/runs/digits/mlp-tanh-seed1-bbbb222222", "bbbb222222", "bbbb", "tanh-seed1", "digits/mlp-tanh-seed1"],
)
def test_a_run_is_found_by_folder_id_or_part_of_its_name(runs: Path, asked: str) -> None:
    assert show.find(asked, Path("results")).resolve() == runs / "digits/mlp-tanh-seed1-bbbb222222"


def test_an_id_that_is_part_of_another_name_is_still_found(runs: Path) -> None:
    fabricated.run_folder(runs / "digits" / "mlp-bbbb222222-seed9-dddd444444")
    assert show.find("bbbb222222", Path("results")).name == "mlp-tanh-seed1-bbbb222222"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("tanh", r"2 runs have 'tanh' in their name \(aaaa111111: seed=0, bbbb222222: seed=1\); give more of the name"),
        ("bbbb222223", r"did you mean bbbb222222\?"),
        ("cnn-relo-seed0", "did you mean cnn-relu-seed0-cccc333333"),
        ("zzz", "no run 'zzz' among the 3"),
    ],
)
def test_unknown_and_ambiguous_runs_are_mistakes(runs: Path, asked: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        show.find(asked, runs.parent)


def test_candidates_are_told_by_what_they_differ_in(runs: Path) -> None:
    for i in range(8):
        folder = fabricated.run_folder(runs / f"digits/net-{i:010x}", depth=3 + i % 2)
        summary = json.loads((folder / "summary.json").read_text())
        summary["settings"] |= {"choices.activation": ("tanh", "relu")[i // 4], "optimizer.lr": 0.1}
        (folder / "summary.json").write_text(json.dumps(summary))
    (runs / "digits/net-0000000002/summary.json").write_text("damaged")
    (runs / "digits/net-0000000003/done.json").unlink()
    (runs / "digits/net-0000000003/summary.json").unlink()  # it has not finished
    (runs / "digits/net-0000000003/config.yaml").write_text(
        "seed: 0\nreplicas: 1\narchitecture: {depth: 9}\noptimizer: {lr: 0.1}\n"
        "choices: {activation: esp, normalization: batch}\n"
    )
    with pytest.raises(UserError) as error:
        show.find("net", runs.parent)
    said = str(error.value)
    assert "0000000000: activation=tanh architecture.depth=3" in said
    assert "digits/net-0000000002" in said
    assert "0000000003: activation=esp architecture.depth=9" in said
    assert "optimizer.lr" not in said
    assert said.count("00000000") == show.FEW
    assert " ...)" in said


@pytest.mark.usefixtures("runs")
def test_no_runs_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "tanh", "--results-dir", "elsewhere"]) == 2
    assert "repro train" in capsys.readouterr().err
    assert main(["show"]) == 2


def test_unfinished_and_failed_runs_say_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs / "mnist/cnn-relu-seed0-cccc333333"
    (folder / "done.json").unlink()
    assert main(["show", "cccc333333"]) == 2
    said = capsys.readouterr()
    assert "has not finished yet" in said.err
    assert not said.out
    (folder / "failed.json").write_text(json.dumps({"status": "failed", "error": "ValueError: no"}))
    assert main(["show", "cccc333333"]) == 2
    assert "failed: ValueError: no" in capsys.readouterr().err
    assert not (folder / "overview.png").exists()


def test_what_compares_with_the_exact_gradient_is_shown(cli: Callable[..., Said], tiny: tuple[str, ...]) -> None:
    assert cli("train", *tiny, "backward=linear", "diagnostics=backward", "diagnostics.probe=16").status == 0
    said = cli("show", "backward=linear").out
    assert "cosine with exact" in said
    assert "norm over exact" in said
    assert cli("train", *tiny).status == 0
    assert "cosine with exact" not in cli("show", "mlp-tanh-train_size").out


def test_a_brief_end_fits_on_half_a_screen(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path / "run", seeds=range(3), diverged={1: 20})
    summary = json.loads((folder / "summary.json").read_text())
    for own in summary["metrics"].values():
        own |= {f"test_score_{i}": float(i) for i in range(9)} if own else {}
    (folder / "summary.json").write_text(json.dumps(summary))
    lines = brief(folder).splitlines()
    assert len(lines) <= 18
    assert lines[1].startswith("1 of 3 seeds diverged (seed 1 at step 20)")
    assert any(line.strip().startswith("and ") and f" more: repro show {folder.name}" in line for line in lines)


def test_what_was_read_off_the_hessian_is_told(tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path / "run", seeds=(0, 1))
    summary = json.loads((folder / "summary.json").read_text())
    for seed, share in (("0", 0.25), ("1", 0.25)):
        summary["metrics"][seed] |= {"hessian_gamma_1e-4": share, "hessian_gamma_1e-4_low": 0.1, "hessian_loss": 0.5}
    (folder / "summary.json").write_text(json.dumps(summary))
    lines = [line for line in text(folder).splitlines() if line.startswith("Hessian")]
    assert [" ".join(line.split()) for line in lines] == ["Hessian, γ 1e-4 0.25 (n=2)"]


# --- the page ---------------------------------------------------------------------------------------


def with_spectrum(folder: Path) -> None:
    columns = ("run", "seed", "step", "epoch", "method", "quantity", "index", "value", "error")
    rows = [
        ("r1", 0, step, step / 20, "exact", "eigenvalue", i, (i - 2) * 10.0**i, "")
        for step in (0, 40)
        for i in range(6)
    ]
    rows += [
        ("r1", 0, 40, 2.0, "exact", "lambda_max", "", 3.5, ""),
        ("r1", 0, 40, 2.0, "exact", "trace", "", "nan", ""),
    ]
    rows += [
        ("r1", 0, 40, 2.0, "slq", kind, i, v, "") for i in range(3) for kind, v in (("node", i - 1), ("weight", 0.3))
    ]
    fabricated.write_csv(folder / "spectrum.csv", columns, rows)


def with_predictions(folder: Path, regression: bool) -> None:
    columns = ("run", "seed", "step", "split", "sample", "input_0", "input_1", "target", "predicted")
    shift = 0.5 if regression else 0
    rows = [("r1", 0, 40, "test", i, 0.1, "", i % 3, (i + (i == 7)) % 3 + shift) for i in range(30)]
    fabricated.write_csv(folder / "predictions.csv", columns, rows)


def captions(page: str) -> list[str]:
    return [attrs["alt"] or "" for tag, attrs in Elements(page).found if tag == "img"]


@pytest.mark.parametrize("regression", [False, True])
def test_page_of_a_run(tmp_path: Path, regression: bool) -> None:
    folder = fabricated.run_folder(tmp_path / "run", seeds=range(3), diverged={2: 20})
    with_spectrum(folder)
    with_predictions(folder, regression)
    assert main(["show", str(folder), "--html"]) == 0
    page = (folder / "index.html").read_text()
    assert [says.split()[0] for says in captions(page)] == [
        "Loss",
        "Activations",
        "Histograms",
        "Eigenvalues",
        "Estimated",
        "Predictions" if regression else "What",
    ]
    for part in (
        "digits · mlp 3 × 100",
        "test accuracy",
        "(n=2)",
        "1 of 3 seeds diverged",
        "greatest eigenvalue",
        "hidden.2",
        'href="curves.csv"',
        "seed: 0",
    ):
        assert part in page, part
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert main(["show", str(folder), "--html"]) == 0
    assert (folder / "index.html").read_text() == page


@pytest.mark.parametrize(
    "kind",
    [{"diverged": {0: 20}}, {"measured": False}, {"steps": (0,)}, {"depth": 0}, {"metrics": ()}, {"depth": 30}],
    ids=str,
)
def test_page_of_an_unusual_run(tmp_path: Path, kind: dict) -> None:
    folder = fabricated.run_folder(tmp_path / "run", **kind)
    assert main(["show", str(folder), "--html"]) == 0
    page = (folder / "index.html").read_text()
    assert page.count("<figure>") == len(captions(page))
    if kind == {"metrics": ()}:
        assert "No metric at the end" in page


def test_page_escapes_names_and_settings(tmp_path: Path) -> None:
    evil = "<script>alert(1)<!--"
    folder = fabricated.run_folder(tmp_path / evil)
    summary = json.loads((folder / "summary.json").read_text())
    summary["settings"]["choices.dataset"] = summary["data"] = evil
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.yaml").write_text(f"name: </pre>{evil}\n")
    assert main(["show", str(folder), "--html"]) == 0
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4


def test_page_of_an_unfinished_run_is_a_mistake(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs / "mnist/cnn-relu-seed0-cccc333333"
    (folder / "done.json").unlink()
    assert main(["show", "cccc333333", "--html"]) == 2
    assert "has not finished yet" in capsys.readouterr().err
    assert not (folder / "index.html").exists()


# What a run's page begins with


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ({}, "Test accuracy 0.7"),
        ({"seeds": range(3), "diverged": {2: 20}}, "; 1 of 3 seeds diverged (seed 2 at step 20), the loss being no"),
        ({"diverged": {0: 20}}, "Diverged at step 20: the loss was no longer finite."),
        ({"metrics": ()}, "40 steps (2 epochs) and no metric at the end."),
    ],
    ids=str,
)
def test_a_run_in_one_sentence(kind: dict, says: str, tmp_path: Path) -> None:
    folder = fabricated.run_folder(tmp_path / "run", **kind)
    said = finding(read_summary(folder))
    assert says in said
    assert said.count(". ") == 0
    assert said.endswith(".")
    assert main(["show", str(folder), "--html"]) == 0
    text = Elements((folder / "index.html").read_text()).text
    assert text.index(said) < text.index("Figures") < text.index("Metrics")


def test_vanishing_ratio_is_part_of_the_sentence(tmp_path: Path) -> None:
    summary = read_summary(fabricated.run_folder(tmp_path / "run"))
    summary["metrics"]["0"]["vanishing_ratio"] = 0.012
    assert finding(summary).endswith("after 40 steps (2 epochs), vanishing ratio 0.012.")


@pytest.mark.parametrize(
    ("provenance", "says"),
    [
        ({"words": ["activation=tanh", "force=true"]}, "repro train activation=tanh force=true"),
        ({"words": ["dataset.path=my own.csv"]}, "repro train 'dataset.path=my own.csv' force=true"),
        ({"words": ["dataset.target='étiquette'"]}, "repro train 'dataset.target=étiquette' force=true"),
        ({"words": ["dataset.path='0'"]}, "repro train dataset.path=0 force=true"),
        ({"words": ["a='0'"]}, """repro train 'a='"'"'0'"'"'' force=true"""),
        ({"words": []}, "repro train force=true"),
        ({"argv": ["repro train", "seed=1"]}, "repro train seed=1 force=true"),
        ({"argv": ["repro train", "-m", "seed=1,2"]}, ""),
        ({"argv": ["somewhere/pytest", "seed=1"]}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_command_that_trains_a_run_again(provenance: dict, says: str) -> None:
    assert command(provenance) == says


def test_each_run_of_a_sweep_knows_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "-m", *TINY, "trainer.steps=1", "seed=3,4"]) == 0
    folders = sorted((tmp_path / "results/runs").glob("*/*"))
    commands = [command(read_json(folder / "provenance.json")) for folder in folders]
    assert [said.partition("seed=")[2].split()[0] for said in commands] == ["3", "4"]
    before = (folders[0] / "summary.json").read_bytes()
    (folders[0] / "summary.json").write_text("{}")
    assert main(commands[0].split()[1:]) == 0
    again, first = json.loads((folders[0] / "summary.json").read_bytes()), json.loads(before)
    assert again["metrics"] == first["metrics"]
