"""Preprocessing of inputs: statistics come from the training split and are then applied to every split."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, unknown, whole

KINDS = ("none", "center", "standardize", "channels", "pca", "whiten")
ROTATIONS = ("pca", "whiten")
EPSILON = 1e-5  # added to the variances before their root is divided by
CHUNK = 8192  # samples whose covariance is summed at a time in double precision

Floats = NDArray[np.floating[Any]]
Transform = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Affine:
    """(x - mean) / scale, elementwise.

    Attributes:
        mean: float64, of the shape of a sample or one that spreads over it; None leaves inputs as they are.
        scale: likewise; None divides by nothing.
    """

    mean: Floats | None = None
    scale: Floats | None = None

    def __call__(self, x: Floats) -> Floats:
        """Inputs of shape (m, ...), in their precision."""
        if self.mean is None:
            return x
        moved: Floats = x - self.mean.astype(x.dtype)
        if self.scale is not None:
            moved /= self.scale.astype(x.dtype)
        return moved


def check_preprocessing(kind: str, components: int | None = None) -> None:
    """Raise a `UserError` unless the two options are known and go together."""
    if kind not in KINDS:
        raise unknown("preprocessing", str(kind), KINDS)
    if components is None:
        return
    whole("components", components, 1)
    if kind not in ROTATIONS:
        raise UserError(
            f"components={components} goes with preprocessing={' or '.join(ROTATIONS)} only, "
            f"not with {kind}; set it to null"
        )


def fit(x: Floats, kind: str, components: int | None = None) -> Transform:
    """Learn a transformation from the training inputs.

    Features are flattened for the statistics. center: minus the mean of each feature. standardize: then
    divided by its standard deviation (over n), where the feature is not constant. channels: the same for
    each channel of an image, over samples and pixels. pca: instead of either, rotated onto the eigenvectors of
    the covariance, largest variance first. whiten: then each coordinate divided by sqrt(variance + 1e-5).

    Args:
        x: training inputs, shape (n, ...), n >= 1.
        kind: one of KINDS.
        components: coordinates kept by pca and whiten; None keeps all.

    Returns:
        A function of inputs of shape (m, ...), for any split. It keeps shape and precision; with `components`
        the result has shape (m, components).

    Raises:
        UserError: unknown kind, more components than features, or channels of inputs that have none.
    """
    check_preprocessing(kind, components)
    if kind == "none":
        return Affine()
    flat = x.reshape(len(x), -1)
    mean = flat.mean(axis=0, dtype=np.float64)
    if kind in ROTATIONS:
        return _rotation(flat, mean, kind, components)
    if kind == "center":
        return Affine(mean.reshape(x.shape[1:]))
    scale = flat.std(axis=0, dtype=np.float64)
    least, most = flat.min(axis=0), flat.max(axis=0)
    if kind == "channels":
        mean, scale, least, most = _by_channel(x.shape, mean, scale, least, most)
    # Not `scale == 0`: rounding of the mean leaves a constant feature a deviation of 1e-17.
    scale[most == least] = 1.0
    shape = (len(mean), 1, 1) if kind == "channels" else x.shape[1:]
    return Affine(mean.reshape(shape), scale.reshape(shape))


def _by_channel(
    shape: tuple[int, ...], mean: Floats, scale: Floats, least: Floats, most: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Statistics (channels,) of whole channels from those of every feature, (channels · height · width,)."""
    if len(shape) != 4:
        raise UserError(
            f"preprocessing=channels needs images (channels, height, width), but an input has shape "
            f"{shape[1:]}; use standardize"
        )
    mean, scale, least, most = (v.reshape(shape[1], -1) for v in (mean, scale, least, most))
    middle = mean.mean(axis=1)
    # Variance is that within features plus that between their means.
    spread = np.sqrt((scale**2 + (mean - middle[:, None]) ** 2).mean(axis=1))
    return middle, spread, least.min(axis=1), most.max(axis=1)


def _rotation(flat: Floats, mean: Floats, kind: str, components: int | None) -> Transform:
    features = flat.shape[1]
    if components is not None and components > features:
        raise UserError(f"components={components} is more than the {features} features; lower it, or null keeps all")
    axes, variances = principal_axes(flat, mean)
    axes = axes[:, :components]
    if kind == "whiten":
        axes = axes / np.sqrt(variances[:components] + EPSILON)

    def rotate(x: Floats) -> Floats:
        turned = (x.reshape(len(x), features) - mean.astype(x.dtype)) @ axes.astype(x.dtype)
        return turned.reshape(x.shape) if components is None else turned

    return rotate


def principal_axes(flat: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Eigenvectors of the covariance (over n) as columns, and their variances, largest first.

    Sums are taken in double precision.

    Args:
        flat: inputs, shape (n, features).
        mean: their mean, shape (features,).
    """
    covariance = np.zeros((flat.shape[1], flat.shape[1]))
    for start in range(0, len(flat), CHUNK):
        centered = flat[start : start + CHUNK] - mean
        covariance += centered.T @ centered
    # A covariance is symmetric and positive, so its singular and its eigenvalue decomposition are one.
    variances, axes = np.linalg.eigh(covariance / len(flat))
    variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
    # An eigenvector's sign is arbitrary and differs between machines; its largest entry is made positive.
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0), variances
