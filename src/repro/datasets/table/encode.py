"""Columns to numbers that a net takes: what is missing filled in, categories one-hot; learnt from the training rows."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from repro.datasets.table.columns import Column

Floats = NDArray[np.float64]


class Encoder:
    """Inputs of columns.

    Numbers and dates: the median where one is missing, and a column of 0 and 1 for each that lacks some. Categories:
    a column of 0 and 1 for each (one for two of them), the rarest together; those that training lacks are all 0.

    Args:
        columns: that are read.
        train: rows that all of it is learnt from.
        standardize: whether numbers get mean 0 and standard deviation 1.
        most: columns that a category may become.
    """

    def __init__(self, columns: Sequence[Column], train: NDArray[np.intp], standardize: bool, most: int) -> None:
        self.frame = pd.DataFrame({column.name: column.values for column in columns})
        numeric = [column.name for column in columns if column.kind != "category"]
        named = [column.name for column in columns if column.kind == "category"]
        fill = SimpleImputer(strategy="median", keep_empty_features=True)
        one_hot = OneHotEncoder(
            drop="if_binary", handle_unknown="infrequent_if_exist", max_categories=most, sparse_output=False
        )
        parts = [
            ("numbers", make_pipeline(fill, StandardScaler()) if standardize else fill, numeric),
            ("missing", MissingIndicator(error_on_new=False), numeric),
            ("categories", one_hot, named),
        ]
        self.transformer = ColumnTransformer([part for part in parts if part[2]])
        self.transformer.set_output(transform="default")
        self.transformer.fit(self.frame.iloc[train])

    def __call__(self, rows: NDArray[np.intp]) -> Floats:
        """Inputs (rows, columns) of some rows."""
        taken = self.frame.iloc[rows] if len(rows) else self.frame.iloc[:1]  # scikit-learn transforms no empty table
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # categories that training lacks
            encoded: Floats = np.asarray(self.transformer.transform(taken), dtype=np.float64)
        return encoded[: len(rows)]
