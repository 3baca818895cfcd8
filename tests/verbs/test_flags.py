"""Flags work wherever they stand among the words of a verb."""

from collections.abc import Callable

import pytest

from conftest import TINY, Said

WORDS = [*TINY, "diagnostics=none"]


@pytest.mark.parametrize("place", [0, 1, 3, len(WORDS)])
def test_flags_of_train(place: int, cli: Callable[..., Said]) -> None:
    def said(*flags: str) -> Said:
        return cli("train", *WORDS[:place], *flags, *WORDS[place:])

    assert "trainer:\n" in said("--cfg", "job").out
    assert said("--cfg", "job", "--package", "trainer").out.startswith("# @package trainer\nepochs: 1\n")
    assert said("--info", "defaults").status == 0
    assert "unknown flag --foo" in said("--foo").mistake
    assert "invalid choice: 'jb'" in said("--cfg", "jb").mistake


@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_a_sweep_with_its_flag_among_the_words(flag: str, cli: Callable[..., Said]) -> None:
    said = cli("train", *WORDS[:4], flag, "seed=1,2", *WORDS[4:])
    assert said.status == 0
    assert said.out.splitlines()[-1] == "2 runs: 2 done, 0 diverged, 0 failed"


NOWHERE = ("--results-dir", "nowhere")
VERBS = {
    "show": (["x"], ["--html"], "no run 'x'"),
    "compare": (["x", "y"], [], "no run 'x'"),
    "diagnose": (["x", "hessian=slq"], [], "no run 'x'"),
    "table": (["linear_backprop"], ["--scale", "quick"], "no claims.csv at scale quick in nowhere"),
    "status": (["linear_backprop/toy"], ["--runs"], "linear_backprop/toy"),
    "figures": (["linear_backprop/toy"], ["--scale", "quick"], "no tables in nowhere"),
    "report": ([], ["--out", "page.html"], "no tables in nowhere"),
    "playground": ([], ["--out", "page.html"], "no tables of nets to watch in nowhere"),
    "runs": (["activation=tanh", "lr=0.1"], ["--last", "2"], "no runs in nowhere"),
    "reproduce": (["linear_backprop/toy", "scale=smoke", "train=false"], [], "0 of 6 runs there"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_flags_of_other_verbs(verb: str, cli: Callable[..., Said]) -> None:
    words, flags, says = VERBS[verb]
    for place in range(len(words) + 1):
        said = cli(verb, *words[:place], *NOWHERE, *flags, *words[place:])
        assert says in said.out + said.err, (place, said)


def test_flags_of_data(cli: Callable[..., Said]) -> None:
    for words in (["list", "--data-dir", "x", "mnist"], ["--data-dir", "x", "list", "mnist"], ["list", "mnist"]):
        said = cli("data", *words)
        assert said.status == 0
        assert len(said.out.splitlines()) == 3
