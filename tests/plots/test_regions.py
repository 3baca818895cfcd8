"""Regions of a net's classes in the plane, and tiles of weights."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.plots.regions import boundary, classes, connected, regions, square
from repro.plots.tiles import tiles


def grid(said):
    values = np.asarray(said)
    return pd.DataFrame({"sample": range(values.size), "predicted": values.ravel()})


def test_the_border_is_counted_between_neighbours():
    assert boundary(grid([[0, 0], [0, 0]])) == 0
    assert boundary(grid([[0, 1], [0, 1]])) == 2
    assert boundary(grid([[0, 0, 0], [0, 1, 0], [0, 0, 0]])) == 4


def test_regions_are_counted_that_touch_side_by_side():
    assert connected(grid([[0, 0], [0, 0]])) == 1
    assert connected(grid([[0, 1], [1, 0]])) == 4
    assert connected(grid([[0, 0, 0], [0, 1, 0], [0, 0, 0]])) == 2
    assert connected(grid([[1, 0, 1], [1, 0, 1], [1, 1, 1]])) == 2


def test_rows_in_another_order_are_the_same_grid():
    told = grid([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    assert np.array_equal(square(told.sample(frac=1, random_state=0), "predicted"), square(told, "predicted"))


def test_regions_lie_where_the_points_do():
    """The grid's first row, at the bottom of the figure, has class 1: so have the points drawn there."""
    ax = Figure().subplots()
    regions(ax, grid([[1, 1], [0, 0]]), 2, ("red", "blue"))
    points = pd.DataFrame({"input_0": [0.0, 0.0], "input_1": [-1.0, 1.0], "target": [1, 0]})
    classes(ax, points, ("red", "blue"), markersize=2)
    (image,) = ax.images
    assert [*image.get_extent()] == [-2, 2, -2, 2]
    assert image.origin == "lower"
    assert image.get_array().tolist() == [[1, 1], [0, 0]]
    drawn = {line.get_color(): line.get_ydata().tolist() for line in ax.lines}
    assert drawn == {"red": [1.0], "blue": [-1.0]}


def test_tiles_share_a_scale_around_zero():
    fig, images = Figure(), np.arange(5.0)[:, None, None] * np.ones((5, 2, 2))
    tiles(fig, images, 4.0)
    drawn = [ax.images[0] for ax in fig.axes if ax.images]
    assert [image.get_array().tolist() for image in drawn] == images.tolist()
    assert {image.get_clim() for image in drawn} == {(-4.0, 4.0)}
    assert len(fig.axes) == 6  # two rows of three, the last one empty
    assert not any(ax.axison for ax in fig.axes)
