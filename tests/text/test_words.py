"""Names in words."""

import re

import pytest

from repro.paths import CLONE
from repro.storage.tables import read
from repro.text.words import in_words, metric


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_accuracy", "test accuracy"),
        ("loss", "loss"),
        ("hessian_loss", "loss on all training samples"),
        ("hessian_alpha_raw", "share of directions of negative curvature (rounding included)"),
        ("hessian_alpha_1e-8", "share of directions of negative curvature (beyond 1e-8)"),
        ("hessian_gamma_structural", "share of exactly flat directions"),
        ("gamma_1e-4", "share of flat directions (up to 1e-4)"),
        ("saturated_share", "saturated share"),
        ("test_perplexity_at_best_valid", "test perplexity at best valid perplexity"),
        ("relu_8_2", "relu 8-2"),
    ],
)
def test_a_name_in_words(name: str, words: str) -> None:
    assert metric(name) == words
    assert in_words(name) == words


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("0.45 against 0.4", "0.45 against 0.4"),
        (
            "inconclusive: hessian_alpha_raw of relu_10, dataset.points=authors minus hessian_loss of esp_10 0.026",
            "inconclusive: share of directions of negative curvature (rounding included) of relu 10, points authors "
            "minus loss on all training samples of esp 10 0.026",
        ),
        (
            "test_accuracy of vgg_relu at its best optimizer.lr: 0.01",
            "test accuracy of vgg relu at its best learning rate: 0.01",
        ),
        (
            "saturated_share depth 2 step last of s3, activation=tanh",
            "saturated share in layer 2 at the end of s3, activation tanh",
        ),
        (
            "train_loss at step first of a over train_loss at step 50",
            "train loss at the start of a over train loss at step 50",
        ),
    ],
)
def test_a_note_in_words(note: str, words: str) -> None:
    assert in_words(note) == words


def test_no_committed_note_keeps_a_name() -> None:
    tables = [read(path) for path in (CLONE / "results").glob("*/*/claims.csv")]
    notes = [note for table in tables for note in table["note"].dropna()]
    assert len(notes) > 100
    left = {word for note in notes for word in re.findall(r"\w+_\w+|\w+\.[a-z]\w+|\w=", in_words(note))}
    assert left == set()
