"""Numbers learnt by squared error and told by its root."""

from collections.abc import Mapping

import numpy as np

from repro.storage.metrics import LOSS, RMSE
from repro.tasks import Regression


class RootError(Regression):
    """Regression with the root of the mean squared error, in the targets' own unit, beside the loss."""

    metrics = (LOSS, RMSE)

    def derive(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `repro.tasks.Task`."""
        return {RMSE.name: np.sqrt(means["loss"])}
