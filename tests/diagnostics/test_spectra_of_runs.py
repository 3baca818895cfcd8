"""Runs that look at their Hessian: what they write down of it, when, for which seeds, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import Said, Trained, check_resuming
from curvature import case
from repro.config.compose import compose
from repro.config.run import Run, resolve
from repro.diagnostics import spectrum
from repro.diagnostics.schedule import measured_steps
from repro.diagnostics.spectrum import Exact, Quadrature
from repro.errors import UserError
from repro.storage.schema import SPECTRUM

# Refusals

MISTAKES = {
    "tolerance": ("hessian=slq hessian.tolerances=[0.1,5e-5]", ["holds 5e-05", "take 0.0001 or more", "hessian=exact"]),
    "no tolerance": ("hessian=exact hessian.tolerances=[]", ["hessian.tolerances is empty", "e.g. [1e-4]"]),
    "tolerance of 1": ("hessian=exact hessian.tolerances=[1.0]", ["hessian.tolerances"]),
    "tolerance of 0": ("hessian=exact hessian.tolerances=[0.0]", ["hessian.tolerances"]),
    "probes": ("hessian=slq hessian.probes=1", ["hessian.probes must be a whole number of 2 or more, not 1"]),
    "steps": ("hessian=slq hessian.steps=1", ["hessian.steps must be a whole number of 2 or more, not 1"]),
    "no extremes": ("hessian=lanczos hessian.extremes=0", ["hessian.extremes must be a whole number of 1 or more"]),
    "extremes": ("hessian=lanczos hessian.extremes=73", ["hessian.extremes=73", "all of the 146", "hessian=exact"]),
    "seeds": ("hessian=exact hessian.seeds=-1", ["hessian.seeds must be a whole number of 0 or more, not -1"]),
    "unknown": ("hessian=exakt", ["unknown hessian 'exakt'", "did you mean exact"]),
    "recurrent": ("hessian=exact dataset=unique_numbers architecture=lstm_classifier", ["without a state", "null"]),
    "binary": ("hessian=slq weight=binary", ["flat in binary weights", "leave out weight=binary"]),
    "steps to measure": ("diagnostics.steps=[3,-1]", ["each of diagnostics.steps must be a whole number of 0 or more"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, cli: Callable[..., Said], tiny: tuple[str, ...], tmp_path: Path) -> None:
    words, parts = MISTAKES[name]
    kept = tiny if "dataset=" not in words else ()
    said = cli("train", *kept, "normalization=layer" if kept else "seed=0", *words.split()).mistake
    assert all(part in said for part in parts), said
    assert list(tmp_path.iterdir()) == []


def test_a_matrix_that_does_not_fit_into_memory(
    cli: Callable[..., Said], tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectrum, "_memory", lambda _: 4 * 8 * 114**2 - 1)
    said = cli("train", *tiny, "hessian=exact").mistake
    assert "the Hessian of 114 parameters needs" in said
    assert "take hessian=slq or hessian=lanczos" in said
    monkeypatch.setattr(spectrum, "_memory", lambda _: 4 * 8 * 114**2)
    Exact([1e-4], None, False).check(case(*tiny).objective())


def test_tolerances_below_those_of_a_quadrature_are_refused() -> None:
    Quadrature(2, 2, [1e-4])
    with pytest.raises(UserError, match=r"holds 9\.9e-05, and slq cannot say how many eigenvalues are that small"):
        Quadrature(2, 2, [1e-4, 9.9e-5])


# Runs


def table(run: Trained) -> pd.DataFrame:
    found = pd.read_csv(run.folder / "spectrum.csv", dtype={"run": str})
    assert tuple(found.columns) == SPECTRUM
    assert set(found["run"]) == {run.run.id}
    return found


def test_a_run_writes_its_spectrum(trained: Callable[..., Trained], tiny: tuple[str, ...]) -> None:
    run = trained("hessian=exact", "diagnostics.every=2")
    rows = table(run)
    assert set(rows["step"]) == {0, 2, 3}
    assert set(rows["method"]) == {"exact"}
    curves = pd.read_csv(run.folder / "curves.csv").query("split == 'hessian'")
    for step, own in rows.groupby("step"):
        values = own[own["quantity"] == "eigenvalue"]
        assert values["index"].tolist() == list(range(114))
        assert values["value"].is_monotonic_increasing
        plain = own[own["index"].isna()].set_index("quantity")["value"]
        assert plain["lambda_max"] == values["value"].iloc[-1]
        again = curves[curves["step"] == step].set_index("metric")["value"]
        assert again.to_dict() == plain.to_dict()
    last = curves[curves["step"] == 3].set_index("metric")["value"]
    metrics = run.summary["metrics"]["0"]
    assert {k: v for k, v in metrics.items() if k.startswith("hessian_")} == {
        f"hessian_{name}": value for name, value in last.items()
    }
    assert {"hessian_gamma_structural", "hessian_gamma_1e-8", "hessian_alpha_1e-4"} <= metrics.keys()
    # At the end, of the weights that were kept.
    net = case(*tiny)
    net.module.load_state_dict(run.state["parameters"])
    expected = np.linalg.eigvalsh(net.looped_hessian().numpy())
    found = rows.query("step == 3 and quantity == 'eigenvalue'")["value"]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", ["lanczos", "slq"])
def test_what_other_methods_write(method: str, trained: Callable[..., Trained]) -> None:
    size = ["hessian.probes=3", "hessian.steps=20"] if method == "slq" else []
    rows = table(trained(f"hessian={method}", *size, "diagnostics.log_spaced=0", "replicas=2"))
    assert set(rows["method"]) == {method}
    assert set(rows["step"]) == {0, 3}
    counts = rows.groupby(["seed", "step", "quantity"]).size().unstack()
    assert len(counts) == 4
    singles = {"eigenvalue": 20} if method == "lanczos" else {"node": 60, "weight": 60}
    for quantity, count in singles.items():
        assert (counts[quantity] == count).all()
    assert (counts.drop(columns=list(singles)) == 1).all().all()
    withs = set(rows[rows["error"].notna()]["quantity"])
    assert withs == (set() if method == "lanczos" else {"trace", "gamma_1e-4", "alpha_1e-4"})


def test_null_takes_the_hessian_out_of_diagnostics(
    cli: Callable[..., Said], tiny: tuple[str, ...], trained: Callable[..., Trained]
) -> None:
    assert (trained("diagnostics=hessian", "trainer.epochs=0").folder / "spectrum.csv").exists()
    assert not (trained("diagnostics=hessian", "hessian=null", "trainer.epochs=0").folder / "spectrum.csv").exists()
    assert "\nhessian: null\n" in cli("train", *tiny, "diagnostics=hessian", "hessian=null", "--cfg", "job").out


def test_eigenvalues_of_the_first_seeds_only(trained: Callable[..., Trained]) -> None:
    words = ("hessian=exact", "hessian.eigenvectors=true", "replicas=3", "diagnostics.log_spaced=0", "seed=5")
    some, every = table(trained(*words, "hessian.seeds=1")), table(trained(*words))
    single = some[some["index"].notna()]
    assert set(single["seed"]) == {5}
    assert set(every[every["index"].notna()]["seed"]) == {5, 6, 7}
    vectors = single["quantity"].str.startswith("eigenvector_")
    assert set(single[vectors]["step"]) == {3}
    assert set(single[~vectors]["step"]) == {0, 3}
    assert vectors.sum() == 114**2

    def indices(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["index"].isna()].drop(columns="run").reset_index(drop=True)

    pd.testing.assert_frame_equal(indices(some), indices(every), check_exact=True)
    assert len(table(trained(*words, "hessian.seeds=0")).query("index.notna()")) == 0


def test_a_diverged_seed_has_no_spectrum_from_then_on(trained: Callable[..., Trained]) -> None:
    run = trained("hessian=exact", "hessian.seeds=0", "optimizer.lr=1e25", "activation=relu", "diagnostics.every=1")
    rows = table(run)
    assert run.outcome.status == "diverged"
    assert 0 in set(rows["step"])
    assert max(rows["step"]) < 3
    assert rows["value"].notna().all()


def test_looking_does_not_change_training(trained: Callable[..., Trained]) -> None:
    words = ("activation=noisy_tanh", "normalization=batch", "architecture.dropout=0.3", "diagnostics.every=1")
    plain, looked = trained(*words), trained(*words, "hessian=slq", "hessian.steps=5")
    for name in ("parameters", "buffers"):
        for key, value in plain.state[name].items():
            assert torch.equal(value, looked.state[name][key])
    curves = [pd.read_csv(run.folder / "curves.csv").drop(columns="run") for run in (plain, looked)]
    ours = curves[1].query("split != 'hessian'").reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, curves[0], check_exact=True)
    assert len(ours) < len(curves[1])
    assert not (plain.folder / "spectrum.csv").exists()


@pytest.mark.parametrize("words", [("hessian=exact", "replicas=2"), ("hessian=slq", "hessian.steps=6")], ids=" ".join)
def test_a_run_that_is_taken_up_again_has_the_same_spectrum(
    words: tuple[str, ...], tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path, *more: str) -> Run:
        return resolve(compose([*tiny, f"results_dir={folder}", *more]))

    words = (*words, "activation=noisy_tanh", "trainer.steps=7", "diagnostics.every=2", "trainer.checkpoint_seconds=0")
    check_resuming(run, words, 5, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("steps", "expected"), [([1, 3, 100], {0, 1, 3, 10}), ([], {0, 10}), ([0, 10], {0, 10}), ([7, 7, 2], {0, 2, 7, 10})]
)
def test_steps_take_the_place_of_the_schedule(steps: list[int], expected: set[int]) -> None:
    assert measured_steps(10, 1, 4, steps) == expected
    assert measured_steps(10, None, 4, steps) == expected


def test_measured_at_the_steps_that_are_asked_for(trained: Callable[..., Trained]) -> None:
    run = trained("hessian=lanczos", "hessian.extremes=2", "diagnostics.steps=[1,4,99]", "trainer.steps=6")
    assert set(table(run)["step"]) == {0, 1, 4, 6}
    assert set(pd.read_csv(run.folder / "layers.csv").query("quantity == 'activation_std'")["step"]) == {0, 1, 4, 6}
