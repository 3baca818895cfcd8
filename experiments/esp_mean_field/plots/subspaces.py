"""Where eigenvectors live, said so that no choice of a basis changes it."""

import numpy as np
import pandas as pd

TOGETHER = 1e-8  # of the largest eigenvalue: closer than this, eigenvalues share a subspace


def decomposition(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n,), smallest first, and eigenvectors (parameters, n) of the rows of one Hessian."""
    vectors = rows[rows["quantity"].str.startswith("eigenvector_")]
    # By what is written, `eigenvector_<k>` has the components of the k-th, and `index` is the parameter.
    table = vectors.pivot_table(index="index", columns="quantity", values="value", observed=True)
    values = rows[rows["quantity"] == "eigenvalue"].sort_values("index")["value"].to_numpy()
    return values[: table.shape[1]], table.to_numpy()


def subspaces(values: np.ndarray) -> np.ndarray:
    """Which eigenvalues (n,), in ascending order, belong together, (n,) from 0: those too close to tell apart.

    Rounding turns the eigenvectors of such eigenvalues into any others of the subspace that they span.
    """
    gaps = np.diff(values) > TOGETHER * np.abs(values).max(initial=0.0)
    return np.r_[0, np.cumsum(gaps)].astype(int)


def weights(vectors: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Weight of each parameter in each eigenvalue's subspace, (parameters, n), columns summing to 1.

    The projector's diagonal over the subspace's dimension: no basis of the subspace changes it.

    Args:
        vectors: (parameters, n), orthonormal columns.
        groups: (n,), as from `subspaces`.
    """
    squares = np.stack([(vectors[:, groups == group] ** 2).mean(1) for group in range(groups.max(initial=-1) + 1)], 1)
    return np.asarray(squares[:, groups])
