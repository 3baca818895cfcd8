"""Small images side by side in one colour scale: the weights of units that look at an image, say."""

import math

import numpy as np
from matplotlib.figure import FigureBase


def tiles(fig: FigureBase, images: np.ndarray, largest: float) -> None:
    """One panel an image, in rows of equal length, without ticks; 0 is the middle of the colour scale.

    Args:
        fig: a figure or a part of one, which is filled.
        images: shape (n, height, width).
        largest: the absolute value at the ends of the colour scale, above 0.
    """
    columns = math.ceil(math.sqrt(len(images)))
    axes = fig.subplots(math.ceil(len(images) / columns), columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image in zip(axes.flat, images, strict=False):
        ax.imshow(image, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
