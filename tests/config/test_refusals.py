"""What went through in silence, or ended in a traceback, is refused in one line that names it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Said
from fabricated import write_claims, write_csv
from repro.errors import UserError
from repro.storage.tables import read
from repro.study.ledger import read_claims

SMALL = ("dataset=xor", "architecture.width=4", "trainer.epochs=1")
UNIT = "activation.unit._target_=torch.nn."
REFUSED = {
    "a list for an option": (["trainer=[]"], "trainer needs an option, not []"),
    "a list of options": (["activation=[tanh,relu]"], "unknown activation '[tanh,relu]'"),
    "a number for an option": (["trainer=3"], "unknown trainer '3'; known: default"),
    "true for an option": (["weight=true"], "unknown weight 'true'; known: binary"),
    "no name": (["=3"], "no name before the ="),
    "packages in a list": (["trusted=[[os]]"], "trusted must list names of packages"),
    "packages that are none": (["trusted=['os;ls']"], "trusted must list names of packages"),
    "meta": (["device=meta"], "device=meta is not available"),
    "null for a number": (["optimizer.weight_decay=null"], "optimizer.weight_decay must be a number, not null"),
    "a rate of 0": (["schedule=exponential", "schedule.factor=0"], "schedule.factor must be a finite number above 0"),
    "a level of logging": (["hydra.job_logging.root.level=FOO"], "hydra.job_logging: "),
    "a layer with weights": ([f"{UNIT}Linear"], "activation.unit must be a function of single numbers"),
    "a recurrent layer": ([f"{UNIT}LSTM"], "activation.unit must be a function of single numbers"),
    "half as many": ([f"{UNIT}GLU"], "activation.unit must be a function of single numbers"),
    "softmax": ([f"{UNIT}Softmax", "+activation.unit.dim=1"], "Softmax mixes the units of a layer"),
    "beta of tanh": (["diagnostics.quantities=[beta]"], "asks for beta, which no layer of this net has"),
    "noise of tanh": (["diagnostics.quantities=[noise_std]"], "asks for noise_std, which no layer"),
    "pooling": ([f"{UNIT}MaxPool1d"], "activation.unit must be a function of single numbers"),
    "an initializer": ([f"{UNIT}init.zeros_"], "activation.unit must be a function of single numbers"),
    "its own random numbers": ([f"{UNIT}RReLU"], "RReLU draws random numbers that no seed of a run governs"),
    "dropout": ([f"{UNIT}Dropout"], "Dropout draws random numbers"),
    "in place": (["activation=relu", "+activation.unit.inplace=true"], "ReLU works in place"),
}


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("name", REFUSED)
def test_one_line(name: str, replicas: int, cli: Callable[..., Said], tmp_path: Path) -> None:
    words, says = REFUSED[name]
    assert says in cli("train", *SMALL, *words, f"replicas={replicas}").mistake
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.mark.parametrize(
    "words",
    [
        ("dataset=unique_numbers", "architecture=lstm"),
        ("dataset=unique_numbers", "architecture=lstm_classifier", "task=sequence"),
        ("dataset=digits", "task=sigmoids", "architecture=lstm"),
    ],
)
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_net_and_a_task_that_do_not_go_together(
    words: tuple[str, ...], replicas: int, cli: Callable[..., Said], tmp_path: Path
) -> None:
    says = cli("train", *words, "architecture.width=4", "trainer.steps=1", f"replicas={replicas}").mistake
    assert any(part in says for part in ("do not go together", "needs one class a step", "reads sequences"))
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.mark.parametrize("word", ["variant=relu", "experiment=training_deep_networks/l2"])
def test_reproduce_takes_no_variant(word: str, cli: Callable[..., Said]) -> None:
    assert "is for repro train" in cli("reproduce", "training_deep_networks/dropout", word, "scale=smoke").mistake


@pytest.mark.parametrize("text", ["<<<<<<< ours\na,1\n=======\na,2\n>>>>>>> theirs\n", "a,1\n=======\n"])
def test_a_merge_that_was_not_ended(text: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("run,steps\n" + text)
    with pytest.raises(UserError, match="markers of a merge"):
        read(path)
    path.write_text("run,steps\na,1\nb=======,2\n")
    assert len(read(path)) == 2


def test_a_verdict_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    write_claims(path, {"claim": "c", "verdict": "certain"})
    with pytest.raises(UserError, match="has the verdict 'certain'"):
        read_claims(path)
    write_csv(path, ("paper", "claim"), [("p", "c")])
    with pytest.raises(UserError, match="has no column experiment; judge its claims again"):
        read_claims(path)
