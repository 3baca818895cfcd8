"""Numbers that no arithmetic can hold, in every option that has one: a line or a run, never a traceback."""

import random
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from conftest import TINY
from repro.config.compose import compose
from repro.config.groups import COMPONENTS, flatten, option_files
from repro.config.run import resolve
from repro.errors import UserError
from repro.paths import conf_dir
from repro.training.run import train

SMALL = [*TINY, "trainer.steps=1", "diagnostics.histogram=2", "diagnostics.quantities=[activation_mean]"]
VALUES = ("1e308", "1e39", "1e-320", "-1", "0", "nan", "inf")
WITH = {
    "annealing": ["activation=noisy_tanh"],
    "optimizer=lbfgs": ["trainer.batch_size=null"],
    "activation=noisy_tanh": [],
    "hessian": ["diagnostics=none", "architecture.width=3"],
}
OF_SIZES = ("dataset.", "architecture.", "procedure.", "hessian.", "task.")  # tests of their own have these


def numeric() -> list[tuple[str, str, str]]:
    """Group, option and setting of every number in conf/, but for sizes."""
    found = []
    for group in (*COMPONENTS, "trainer"):
        for option, file in option_files(group).items():
            if not file.is_relative_to(conf_dir()):
                continue
            for key, value in flatten(OmegaConf.to_container(OmegaConf.load(file))).items():
                number = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool))
                unset = value is None and (group, key) != ("trainer", "precision")
                if not f"{group}.".startswith(OF_SIZES) and (number or unset):
                    found.append((group, option, key))
    return found


def cases() -> list[list[str]]:
    made = []
    for group, option, key in numeric():
        choice = [] if group == "trainer" else [f"{group}={option}"]
        more = WITH.get(f"{group}={option}", WITH.get(group, []))
        made += [[*choice, *more, f"{group}.{key}={value}"] for value in VALUES]
    return made


def test_every_number_trains_or_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of all cases each time, the same for one version of conf/; all of them when it is called by hand."""
    every = cases()
    assert len(every) > 400
    refused = 0
    for i, words in enumerate(random.Random(0).sample(every, 60)):
        try:
            train(resolve(compose([*SMALL, *words, f"results_dir={tmp_path / str(i)}"])))
        except UserError as error:
            refused += "\n" not in (said := str(error)) or pytest.fail(f"{words}: {said}")
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} from {words}: {error}") from error
        capsys.readouterr()
    assert refused > 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trainer.l2=1e308"], "trainer.l2=1e+308 is beyond what float32 can hold"),
        (["trainer.clip_value=1e39"], "trainer.clip_value=1e+39 is beyond"),
        (["trainer.clip_weights=1e-320"], "0, or between 1.2e-38 and 3.4e+38 in size"),
        (["activation=noisy_tanh", "activation.alpha=-1e39"], "activation.alpha=-1e+39 is beyond"),
        (["activation=swish", "activation.beta=1e39"], "activation.beta=1e+39 is beyond"),
        (["initialization=constant", "initialization.value=1e39"], "trainer.precision=float64 has a wider range"),
        (["optimizer=adam", "optimizer.betas=[0.9,1e-320]"], "optimizer.betas=1e-320 is beyond"),
        (["optimizer=adam", "optimizer.betas=[0.9,nan]"], "optimizer.betas must be a finite number, not nan"),
        (["trainer.precision=float64", "trainer.l2=1e-320"], "beyond what float64 can hold"),
    ],
)
def test_beyond_the_arithmetic(words: list[str], says: str) -> None:
    with pytest.raises(UserError) as error:
        resolve(compose([*SMALL, *words]))
    assert says in str(error.value)


def test_within_it() -> None:
    resolve(compose([*SMALL, "trainer.precision=float64", "trainer.l2=1e39", "trainer.clip_norm=1e300"]))
    resolve(compose([*SMALL, f"seed={10**12}", "optimizer.weight_decay=1e-30"]))
    resolve(compose(["dataset=spiral", f"dataset.seed={10**40}"]))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("history_size=0", "optimizer.history_size must be a whole number of 1 or more"),
        ("max_iter=-1", "optimizer.max_iter must be a whole number of 1 or more"),
        ("max_eval=0", "optimizer.max_eval must be a whole number of 1 or more"),
        ("tolerance_grad=-1", "optimizer.tolerance_grad must be a finite number of at least 0"),
        ("tolerance_change=-1", "optimizer.tolerance_change must be a finite number of at least 0"),
        ("line_search_fn=foo", "optimizer.line_search_fn must be strong_wolfe or null, not 'foo'"),
    ],
)
def test_options_of_lbfgs(setting: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        resolve(compose([*SMALL, "optimizer=lbfgs", "trainer.batch_size=null", f"optimizer.{setting}"]))


@pytest.mark.parametrize("node", ["optimizer", "activation", "activation.unit", "dataset"])
def test_options_without_a_name(node: str) -> None:
    run = resolve(compose([*SMALL, f"+{node}._args_=[1]"]))
    with pytest.raises(UserError, match=rf"{node}\._args_ is no option; give options by their names"):
        train(run)
