"""The door from configuration to object: every YAML file goes through it, and nothing that must not."""

import inspect
import math
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from loading import need_mirror
from needs import CAPTIONS, EXTRA, POINTS, SEQUENCES
from repro.config.build import build, check_node
from repro.config.groups import GROUPS, option_files
from repro.config.schema import DiagnosticsConfig, TrainerConfig
from repro.datasets.pairs.batches import Pairs
from repro.datasets.protocol import Order
from repro.datasets.store.sources import FOLDERS, REGISTRY
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.architectures.two_hops import TwoHops
from repro.model.architectures.captioner import Captioner
from repro.model.architectures.recurrence import call, is_recurrent
from repro.model.architectures.translator import Translator
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.model.trees import leaves
from repro.tasks import COUNT
from repro.verbs.list import describe

FILES = {
    f"{group}/{name}": path for group in GROUPS if group != "experiment" for name, path in option_files(group).items()
}
COMPONENTS = [name for name in FILES if not name.startswith(("trainer/", "diagnostics/"))]
EXPERIMENTS = {f"experiment/{name}": path for name, path in option_files("experiment").items()}

PAIRS = "".join(f"A word {word} and so on .\n" for word in "abcdefgh")
TABLE = "size,weight,value\n" + "".join(f"{i},{(7 * i) % 5},{i % 2 + i / 10}\n" for i in range(40))

# Nets whose hidden activations are 0 pass nothing on to a weight; only biases learn.
NOTHING_TO_LEARN_FROM = {"initialization/zeros"}


def node(name: str) -> dict[str, Any]:
    """A file's content, as the program sees it."""
    root = OmegaConf.create({"data_dir": None})
    root["it"] = OmegaConf.load(FILES[name])
    container = OmegaConf.to_container(root, resolve=True)
    return container["it"]


def build_one(name: str, tmp_path: Path) -> Any:
    group, _, option = name.partition("/")
    settings = node(name)
    if name == "dataset/table":
        (tmp_path / "table.csv").write_text(TABLE)
        settings |= {"path": str(tmp_path / "table.csv"), "target": "value", "targets": "numbers"}
    if name == "dataset/parallel_text":
        write_pairs(tmp_path)
        settings |= {"path": str(tmp_path)}
    if group == "architecture":
        unit = "sign" if option == "spiking" else "tanh"
        make = LayerFactory(build(node(f"activation/{unit}"), "activation"), exact, none)
        shape: dict[str, Any] = {"shape": (1, 8, 8)}
        if option in ("lstm", "gru", "lstm_classifier"):
            shape = {"shape": (), "tokens": 7}
        elif option == "ntm":
            shape = {"shape": (4,)}
        elif option in ("translator", "two_hops"):
            shape = {"shape": (), "tokens": 7}
        elif option == "captioner":
            shape = {"shape": (6, 4)}
        elif option == "bivariate_tree":
            shape = {"shape": (3,)}
        return build(settings, group, outputs=3, make=make, **shape)
    return build(settings, group)


def write_pairs(folder: Path) -> None:
    for split, language in product(("train", "valid", "test"), ("en", "fr")):
        (folder / f"{split}.{language}").write_text(PAIRS)


def look(group: str, made: Any) -> None:
    """That the object is one of its group: it does what the others of the group do."""
    rng = torch.Generator().manual_seed(0)
    if group == "dataset":
        seeds = (0,) if isinstance(made, Pairs) else (0, 1)
        feed = made.feed(Order(seeds, 4))
        batch, probe = feed.batch(0), feed.probe(3)
        assert all(v.shape[:2] == (len(seeds), 4) for v in leaves((batch.x, batch.y)))
        assert 0 < len(probe) <= 4
        assert all(len(v) == len(probe) for v in leaves((probe.x, probe.y)))
        first = leaves(probe.x)[0]
        assert first.dtype == (torch.float32 if made.tokens is None else torch.int64)
        assert first.shape[-len(made.shape) :] == made.shape or made.shape == ()
        assert set(made.sizes) == {"train", "valid", "test"}
    elif group == "architecture":
        x: Any = torch.zeros((2, 3) if type(made).__name__ == "BivariateTree" else (2, 1, 8, 8))
        made.eval()
        if isinstance(made, Translator | TwoHops):
            x = dict.fromkeys(("source", "target"), torch.zeros(2, 5, dtype=torch.int64))
        if isinstance(made, Captioner):
            x = {"image": torch.zeros(2, 6, 4), "target": torch.zeros(2, 1, 5, dtype=torch.int64)}
            out = made(x)  # dropout needs a source of noise
            assert out["logits"].shape == (2, 1, 5, 3)
            assert out["attention"].shape == (2, 1, 5, 6)
            return
        if is_recurrent(made):
            x = torch.zeros(2, 5, 4) if type(made).__name__ == "NTM" else torch.zeros(2, 5, dtype=torch.int64)
        out, state = call(made, x)
        assert out.shape == ((2, 3) if out.dim() == 2 else (2, 5, 3))
        assert bool(state) == is_recurrent(made)
    elif group == "annealing":
        assert made(0) >= made(10**6) >= 0
    elif group == "curriculum":
        assert made is not None  # what it does is its data set's; see there
    elif group == "activation":
        make = LayerFactory(made, exact, none)
        for nonlinearity in (make.unit(4), make.gate(4)):
            assert nonlinearity.eval()(torch.zeros(2, 4)).isfinite().all()
    elif group == "initialization":
        weight = torch.full((6, 5), math.nan)
        made(weight, rng)
        assert weight.isfinite().all()
    elif group == "normalization":
        for dims, shape in ((1, (4, 5)), (2, (4, 5, 2, 2))):
            assert made(5, dims)(torch.randn(shape, generator=rng)).shape == shape
    elif group == "backward":
        assert torch.equal(made(nn.Tanh(), torch.ones(2)), torch.ones(2).tanh())
    elif group == "weight":
        assert type(made.linear(2, 3)) is not nn.Linear
        assert made.convolution(2, 3, 3)(torch.ones(1, 2, 3, 3)).shape == (1, 3, 1, 1)
    elif group == "procedure":
        assert callable(made)
    elif group == "hessian":
        assert made.name in ("exact", "lanczos", "slq")
    elif group == "optimizer":
        assert isinstance(made([nn.Parameter(torch.ones(2))]), torch.optim.Optimizer)
    elif group == "schedule":
        assert 0 < made(0, 10) <= 1
    elif group == "task":
        targets = {
            "Regression": torch.zeros(2, 3),
            "Sequence": torch.tensor([[0, 2, 1]]),
            "Recall": torch.zeros(2, 4, 3),
            "Translation": {"tokens": torch.tensor([[2, 1, 0]]), "line": torch.tensor([0])},
            "RootError": torch.zeros(2, 3),
            "Captions": {"tokens": torch.tensor([[[2, 1, 0]]]), "line": torch.tensor([0])},
            "OneOutput": torch.tensor([0, 1]),
            "Approximation": torch.zeros(2, 3),
            "WholeSequence": torch.tensor([[0, 2, 1], [1, 1, -1]]),
        }
        target = targets.get(type(made).__name__, torch.tensor([0, 2]))  # most take class numbers
        scores = made.measure(made.example(target, 3), target)
        assert scores["loss"].isfinite()
        sums = {name: value.numpy()[None] for name, value in scores.items()} | {COUNT: np.ones(1)}
        # What takes further passes of a net; see the tests of these tasks.
        further = {m.name for m in made.metrics if m.name.startswith(("bleu", "cider", "meteor"))}
        further |= {metric.name for metric in made.metrics[2:]} if type(made).__name__ == "Perturbed" else set()
        assert {metric.name for metric in made.metrics} == {*made.finish(sums), *further}
        assert made.count(target) > 0
        assert made.objective(scores, target).isfinite()
    else:
        raise AssertionError(f"group {group} is new: say here what its options are for")


# Data sets that do not come in any sizes.
OWN_SIZES = {
    "five_points",
    "boundary",
    "authors_digits",
    "few_points",
    "disc",
    "wave",
    "scikit_learn",
    "bivariate_tree",
}
# Those from files are built where they train a step: reading them takes long.
OF_MNIST = ("digits_and_noise", "drawn_images", "held_batches", "pooled_images")
# Those from files are built where they train a step: reading them takes long.
FROM_FILES = {f"dataset/{name}" for name in (*REGISTRY, *OF_MNIST)}


@pytest.mark.parametrize("name", [name for name in COMPONENTS if name not in FROM_FILES])
def test_builds(name: str, tmp_path: Path) -> None:
    look(name.partition("/")[0], build_one(name, tmp_path))


@pytest.mark.parametrize("name", sorted(set(FILES) - set(COMPONENTS)))
def test_settings_are_the_schema_s(name: str) -> None:
    schema = {"trainer": TrainerConfig, "diagnostics": DiagnosticsConfig}[name.partition("/")[0]]
    assert set(node(name)) - {"defaults"} == set(vars(schema()))


def test_every_group_has_options_and_every_folder_is_a_group() -> None:
    assert {name.partition("/")[0] for name in FILES} == set(GROUPS) - {"experiment"}


# Other procedures have tests of their own.
@pytest.mark.parametrize("name", [name for name in FILES if name.partition("/")[0] != "procedure"])
def test_trains_one_step(name: str, tmp_path: Path, trained: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    group, option = name.split("/")
    if SEQUENCES.get(name) is CAPTIONS:
        pytest.importorskip("efficientnet_lite_pytorch")
        need_mirror("flickr8k")
    if option in ("mnist", "cifar10", "penn_treebank", "multi30k", "europarl_sample", *OF_MNIST):
        need_mirror(FOLDERS.get(option, "mnist" if option in OF_MNIST else option))
    if option == "europarl":
        pytest.skip("700 MB, in no mirror; what is made of its archives is tested in tests/datasets/test_pairs.py")
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path)
    Path("table.csv").write_text(TABLE)
    words = ["trainer.steps=1", "trainer.batch_size=8", "diagnostics.probe=8", f"{group}={option}"]
    words += EXTRA.get(name, [])
    chosen = next((w for w in words if w.startswith("dataset=")), "dataset=xor")
    if name in SEQUENCES:
        run = trained_from_default([*words[:3], *SEQUENCES[name], words[3]], tmp_path)
    elif group == "architecture" and name not in EXTRA and not {"depth", "width"} <= OmegaConf.load(FILES[name]).keys():
        run = trained_from_default([*words, "dataset=xor", *POINTS], tmp_path)
    elif option in {*OWN_SIZES, *OF_MNIST}:
        run = trained_from_default([*words, "architecture.width=8"], tmp_path)
    elif chosen in ("dataset=digits", "dataset=mnist", "dataset=cifar10", "dataset=table", "dataset=wave"):
        words += ["architecture.width=8"] if "cnn" not in option else []
        run = trained_from_default(words, tmp_path)
    else:
        run = trained(*words, *(POINTS if group == "dataset" else []))
    curves, layers = pd.read_csv(run.folder / "curves.csv"), pd.read_csv(run.folder / "layers.csv")
    assert run.outcome.status == "done"
    assert set(curves["step"]) == {0, 1}
    assert curves["value"].notna().all()
    assert not curves.empty
    if name == "diagnostics/none":
        assert layers.empty
        return
    updates = layers[layers["quantity"] == "update_ratio"]
    assert (updates["step"] == 1).all()
    assert (updates[updates["layer"] == "output"]["value"] > 0).all() == (name not in NOTHING_TO_LEARN_FROM)


def trained_from_default(words: list[str], tmp_path: Path) -> Any:
    """As `trained`, for data sets without the sizes that the tiny words set."""
    from conftest import Trained
    from repro.config.compose import compose
    from repro.config.run import resolve
    from repro.training.run import train

    run = resolve(compose([f"results_dir={tmp_path / 'results'}", *words]))
    return Trained(run, train(run))


@pytest.mark.parametrize("name", [*FILES, *EXPERIMENTS])
def test_says_in_one_line_what_it_is(name: str) -> None:
    says = describe({**FILES, **EXPERIMENTS}[name])
    assert 15 < len(says) <= 120
    assert says[0].isupper() or not says[0].isalpha()
    assert says[-1] in ".?)" or "; " in says or ":" in says


# What the program hands to a component; everything else is the YAML file's.
GIVEN = {
    "targets",
    "shape",
    "outputs",
    "make",
    "weight",
    "rng",
    "function",
    "a",
    "features",
    "dims",
    "epoch",
    "epochs",
    "units",
    "tokens",
    "update",
}


@pytest.mark.parametrize("name", COMPONENTS)
def test_defaults_stand_in_the_file_alone(name: str) -> None:
    settings = node(name)
    module, _, attribute = settings["_target_"].rpartition(".")
    if not module.startswith("repro"):
        return
    made = getattr(sys.modules.get(module) or __import__(module, fromlist=[attribute]), attribute)
    parameters = inspect.signature(made).parameters.values()
    assert [p.name for p in parameters if p.default is not p.empty] == []
    named = {p.name for p in parameters}
    settled = {key for key in settings if not key.startswith("_")}
    assert settled <= named
    assert named - settled <= GIVEN


def refusal(settings: dict[str, Any], where: str = "activation", **arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        build(settings, where, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_target_names_the_near_miss() -> None:
    assert "did you mean torch.nn.Tanh" in refusal({"_target_": "torch.nn.Tahn"})
    assert "no 'initialisation' in repro.model (did you mean repro.model.initialization" in refusal(
        {"_target_": "repro.model.initialisation.he"}
    )


def test_checking_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repro.model.backward.exact", lambda: pytest.fail("was called"))
    monkeypatch.setattr("repro.model.backward.exact.__module__", "repro.model.backward", raising=False)
    check_node({"_target_": "repro.model.backward.exact"}, "backward")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("depth", "three", "architecture.depth must be a whole number, not 'three'"),
        ("depth", 1.5, "architecture.depth must be a whole number, not 1.5"),
        ("depth", True, "architecture.depth must be a whole number, not True"),
        ("depth", None, "architecture.depth must be a whole number, not null"),
        ("dropout", "much", "architecture.dropout must be a number, not 'much'"),
        ("dropout", [0.1], "architecture.dropout must be a number, not [0.1]"),
        ("bias", 1, "architecture.bias must be true or false, not 1"),
        ("bias", "yes", "architecture.bias must be true or false, not 'yes'"),
        ("width", [3, "a"], "architecture.width must be a whole number or a list, each a whole number, not [3, 'a']"),
        ("width", {"a": 1}, "architecture.width must be a whole number or a list, each a whole number, not {'a': 1}"),
    ],
)
def test_types_are_checked(key: str, value: Any, says: str) -> None:
    with pytest.raises(UserError) as caught:
        check_node(node("architecture/mlp") | {key: value}, "architecture")
    assert str(caught.value) == says


def test_types_that_fit() -> None:
    for change in ({"width": [3, 4], "depth": 2}, {"dropout": 0}, {"dropout": 0.5}, {"bias": False}):
        check_node(node("architecture/mlp") | change, "architecture")
    check_node(node("optimizer/adam") | {"betas": [0.5, 0.9]}, "optimizer")
    check_node(node("dataset/digits") | {"subset": None, "valid_size": 0.5}, "dataset")


def test_unknown_option_names_the_near_miss() -> None:
    with pytest.raises(
        UserError, match=r"unknown option of .* 'architecture\.dept'; known: .*did you mean architecture\.d"
    ):
        check_node(node("architecture/mlp") | {"dept": 3}, "architecture")


def test_what_a_component_refuses_is_told_with_its_name() -> None:
    says = refusal(node("activation/noisy_tanh") | {"c": -1})
    assert says == "activation.c must be a finite number of at least 0, not -1"
    assert refusal({"_target_": "torch.nn.Conv2d", "in_channels": 1}, "activation").startswith("activation: ")
