"""Images as bright as the words of their captions looked at them."""

import numpy as np
import pandas as pd
import pytest

from loading import need_mirror
from repro.plots import looks
from repro.plots.style import styled

NAME = "3385593926_d3e9c21170.jpg"
WEIGHTS = {"a": [0.1, 0.2, 0.3, 0.4], "dog": [0.8, 0.1, 0.1, 0.0], "<eos>": [0.25] * 4}


def table(image: str = NAME) -> pd.DataFrame:
    rows = [
        (0, place_said, word, place, image, 50 * place, 255, 0, value)
        for place_said, (word, values) in enumerate(WEIGHTS.items())
        for place, value in enumerate(values)
    ]
    names = ["sample", "word_place", "word", "place", "image", "red", "green", "blue", "value"]
    return pd.DataFrame(rows, columns=names)


def shown(summary: dict[str, str]):
    with styled():
        ((caption, figure),) = looks.drawn(table(), summary)
    axes = [ax for ax in figure.axes if ax.images]
    return caption, axes, [np.asarray(ax.images[0].get_array()) for ax in axes]


def test_each_word_is_as_bright_as_it_was_looked_at() -> None:
    caption, axes, images = shown({"data": "scenes"})
    assert caption == f"Where the words said of {NAME} looked: {looks.SCALE}; an even look has 0.25 everywhere"
    assert [ax.get_title(loc="right") for ax in axes] == ["", "0.4", "0.8", "0.25"]
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == ["", *WEIGHTS]
    picture, first, second, _ = images
    np.testing.assert_allclose(picture[1, 1], [150 / 255, 1, 0])
    np.testing.assert_allclose(second[0, 0], picture[0, 0])  # the greatest weight of the word
    np.testing.assert_allclose(second[1, 1], 0.15 * picture[1, 1])  # nothing
    np.testing.assert_allclose(first[1, 1], picture[1, 1])
    np.testing.assert_allclose(first[0, 1], (0.15 + 0.85 * 0.5) * picture[0, 1])


def test_photographs_are_shown_where_they_are_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    need_mirror("flickr8k")
    _, _, images = shown({"data": "flickr8k: official texts"})
    assert images[0].shape == (128, 128, 3)
    assert images[0].max() > 0.5
    np.testing.assert_allclose(images[2][:64, :64], images[0][:64, :64])
    monkeypatch.setattr(looks, "require", lambda _: (_ for _ in ()).throw(looks.UserError("not here")))
    assert shown({"data": "flickr8k: official texts"})[2][0].shape == (2, 2, 3)
