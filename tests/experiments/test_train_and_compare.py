"""Training that ends with a comparison: noted down once, at the end, also by a run that was interrupted."""

import pandas as pd

from repro.config.compose import compose
from repro.config.run import resolve
from repro.training.prepare import prepare
from repro.training.run import train

WORDS = (
    "dataset=half_planes",
    "dataset.train_size=60",
    "dataset.test_size=50",
    "task=one_output",
    "activation=sigmoid",
    "architecture.depth=1",
    "procedure=train_and_compare",
    "trainer.steps=6",
    "trainer.eval_steps=3",
    "trainer.batch_size=null",
    "diagnostics=none",
    "replicas=2",
)


def work(width):
    prepared = prepare(resolve(compose([*WORDS, f"architecture.width={width}"])))
    return prepared.components.procedure(prepared)


def noted(rows):
    return [(row[0], row[1]) for row in rows if row[3:5] == ("cuts", "cosine")]


def test_it_is_noted_at_the_end_of_nets_with_enough_units():
    for width, expected in ((3, [(0, 6), (1, 6)]), (2, [])):
        made = work(width)
        made.start()
        while not made.finished:
            assert noted(made.rows.curves) == []
            made.advance()
        assert noted(made.rows.curves) == expected


def test_an_interrupted_run_ends_the_same():
    whole, first, second = (work(3) for _ in range(3))
    for made in (whole, first):
        made.start()
    for _ in range(4):
        first.advance()
    second.restore(first.state())
    while not whole.finished:
        whole.advance()
    while not second.finished:
        second.advance()
    assert [row for row in whole.rows.curves if row[1] == 6] == [row for row in second.rows.curves if row[1] == 6]


def test_it_becomes_a_column_of_the_run(tmp_path):
    folder = train(resolve(compose([*WORDS, "architecture.width=3", f"results_dir={tmp_path}"]))).folder
    curves = pd.read_csv(folder / "curves.csv")
    found = curves[(curves["split"] == "cuts") & (curves["metric"] == "cosine")]["value"]
    assert len(found) == 2
    assert found.between(0, 1).all()
