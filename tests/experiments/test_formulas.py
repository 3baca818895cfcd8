"""Functions to be learnt from points, the root of degree seven, identities, the tree of functions of two numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from repro.errors import UserError
from repro.experiments.understanding_neural_networks.architectures.bivariate_tree import BivariateTree
from repro.experiments.understanding_neural_networks.datasets.formulas import FORMULAS, formulas, septic_root
from repro.experiments.understanding_neural_networks.tasks.root_error import RootError
from repro.model.activations.elementwise import swish
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none

OPTIONS = {"noise": 0.0, "train_size": 40, "valid_size": 5, "test_size": 30, "seed": 0}


def test_values_are_those_of_the_formula() -> None:
    data = formulas("exp_sin", **OPTIONS)
    x, y = data.test.x.double(), data.test.y[:, 0]
    assert data.shape == (2,)
    expected = torch.exp(torch.sin(torch.pi * x[:, 0]) + x[:, 1] ** 2)
    torch.testing.assert_close(y.double(), expected, rtol=1e-6, atol=0)
    one = formulas("jump", **OPTIONS)
    assert set(one.train.y.flatten().tolist()) == {-1.0, 1.0}
    assert ((one.train.x > 0.3) == (one.train.y > 0)).all()
    kink = formulas("kink", **OPTIONS)
    torch.testing.assert_close(kink.train.y, (kink.train.x - 0.3).abs())


def test_noise_is_in_the_training_values_alone() -> None:
    plain, noisy = formulas("smooth", **OPTIONS), formulas("smooth", **OPTIONS | {"noise": 0.3, "train_size": 4000})
    assert torch.equal(plain.test.y, noisy.test.y)
    left = noisy.train.y - torch.sin(2 * torch.pi * noisy.train.x)
    assert left.std().item() == pytest.approx(0.3, rel=0.05)
    assert abs(left.mean().item()) < 0.02


def test_the_root_is_numpy_s_and_the_only_real_one() -> None:
    formula, rng = FORMULAS["septic_root"], np.random.default_rng(0)
    abc = rng.uniform(formula.low, formula.high, (50, 3))
    for (a, b, c), root in zip(abc, septic_root(abc), strict=True):
        found = np.roots([1, 0, 0, 0, a, b, c, 1])
        real = found[np.abs(found.imag) < 1e-9].real
        assert real == pytest.approx([root], abs=1e-12)
    data = formulas("septic_root", **OPTIONS)
    corner = formula.at(np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(corner, septic_root(np.array([formula.low, formula.high])))
    assert data.shape == (3,)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"formula": "kinky"}, "unknown formula 'kinky'; known: exp_sin, jump, kink, septic_root, smooth"),
        ({"noise": -1.0}, "noise"),
        ({"train_size": 0}, "train_size"),
    ],
)
def test_bad_options_of_the_data(changes: dict, says: str) -> None:
    with pytest.raises(UserError) as caught:
        formulas(**{"formula": "smooth", **OPTIONS, **changes})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_root_of_the_error_is_taken_of_its_mean_over_a_split() -> None:
    task = RootError()
    found = task.finish({"loss": np.array([8.0, 18.0]), "count": np.array([2.0, 2.0])})
    np.testing.assert_allclose(found["rmse"], [2.0, 3.0])


def test_the_tree_is_a_function_of_two_functions_of_two() -> None:
    torch.manual_seed(0)
    tree = BivariateTree((3,), 1, LayerFactory(swish(1.0), exact, none), 12)
    assert sum(p.numel() for p in tree.parameters()) == 147
    x = torch.rand(9, 3)
    inner = [net(x[:, i], x[:, i + 1])[:, 0] for i, net in enumerate((tree.h, tree.k))]
    torch.testing.assert_close(tree(x), tree.g(*inner))
    with pytest.raises(UserError, match="architecture=bivariate_tree is a function of 3 numbers, and an input has 2"):
        BivariateTree((2,), 1, LayerFactory(swish(1.0), exact, none), 12)


def test_identities_hold(cli: Callable) -> None:
    assert cli("train", "procedure=identities", "procedure.points=300").status == 0
    (table,) = (pd.read_csv(file) for file in Path("results").rglob("curves.csv"))
    found = table.set_index("metric")["value"]
    differences = found[[name for name in found.index if name.endswith("difference")]]
    assert len(differences) == 6
    assert (differences < 1e-12).all()
    assert found["one_real_root_share"] == 1
    assert -1 < found["least_root"] < found["greatest_root"] < -0.3
    says = "procedure.points must be a whole number of 1 or more, not 0"
    assert cli("train", "procedure=identities", "procedure.points=0").mistake == says
