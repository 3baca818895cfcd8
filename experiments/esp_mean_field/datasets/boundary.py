"""Points of the plane on two sides of a boundary, straight or curved: the toys of Milletarì et al. 2018."""

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Pair, Raw, finish
from repro.datasets.memory import Data
from repro.datasets.store.files import contents
from repro.errors import UserError, unknown, whole

from .plain_split import cut_plainly

TEST_SHARES = {"linear": 0.25, "nonlinear": 0.2}  # of the authors' saved runs
FILES = {"linear": "lindata.csv", "nonlinear": "nldata.csv"}
HEADER = "x1,x2,y"


def boundary(
    kind: str,
    points: str,
    test_size: int | float | None,
    preprocessing: str,
    noisy_labels: float | None,
    subset: int | None,
    seed: int,
    data_dir: str | None,
) -> Data:
    """Inputs of shape (2,), all positive and far from centred, as they are in the paper; two classes.

    There is no validation split, as in the paper: nothing is chosen.

    Args:
        kind: linear (51 points, 41 % of class 1) or nonlinear (863 points, 56 %).
        points: generated, or authors for the paper's own, which are the sets ex6data1 and ex6data2 of a well-known
            course.
        test_size: number of points, or their share of all; None takes the paper's, 0.25 (linear) or 0.2.
        preprocessing: none, as in the paper, center, standardize, pca or whiten.
        noisy_labels: share of the training samples that get the other class, at random; None = none.
        subset: number of training samples kept; None keeps all.
        seed: of split and generation; 1 in the paper.
        data_dir: cache folder of the authors' points.

    Raises:
        UserError: an option is not allowed, or the authors' points are not there.
    """
    if kind not in FILES:
        raise unknown("kind in dataset.kind", str(kind), FILES)
    if points not in ("generated", "authors"):
        raise unknown("points in dataset.points", str(points), ("generated", "authors"))
    whole("seed", seed, 0)
    options = Options(preprocessing, subset, seed, noisy_labels=noisy_labels)
    options.check()
    share = TEST_SHARES[kind] if test_size is None else test_size
    source, (x, y) = ("", _generated(kind, seed)) if points == "generated" else _authors(kind, data_dir)
    train, test = cut_plainly(len(y), share, seed)
    raw = Raw((x[train], y[train]), (x[:0], y[:0]), (x[test], y[test]))
    return finish("boundary", raw, 2, options, source)


def _generated(kind: str, seed: int) -> Pair:
    rng = np.random.default_rng([seed, 2])
    if kind == "linear":
        clouds = ((30, (1.75, 2.75), (0.75, 0.55)), (21, (3.05, 3.75), (0.55, 0.5)))
        x = np.concatenate([rng.normal(mean, std, (n, 2)) for n, mean, std in clouds]).clip(0.05)
        return x, _class(x.sum(1) > 5.65)
    x = rng.uniform((0.04, 0.4), (1.0, 0.99), (863, 2))
    return x, _class(x[:, 1] > 0.68 + 0.16 * np.sin(2.5 * np.pi * x[:, 0] + 0.4))


def _class(above: NDArray[np.bool_]) -> NDArray[np.int64]:
    return above.astype(np.int64)


def _authors(kind: str, data_dir: str | None) -> tuple[str, Pair]:
    try:
        edition, files = contents("boundary", data_dir)
    except UserError as error:
        raise UserError(f"{error}; or take dataset.points=generated") from error
    text = files[[file.name for file in edition.files].index(FILES[kind])].decode()
    if not text.startswith(HEADER):
        raise UserError(f"{FILES[kind]} has no line {HEADER} at its top; replace it, or take dataset.points=generated")
    table = np.array([line.split(",") for line in text.split()[1:]], dtype=np.float64)
    return edition.label, (table[:, :2], table[:, 2].astype(np.int64))
