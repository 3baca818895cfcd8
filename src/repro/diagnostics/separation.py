"""Whether a layer has pulled the classes apart: whether planes tell its activations' classes."""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SAYS = (
    "share of the probe batch's samples that a logistic regression on *h* (features standardized, penalty ‖w‖²/2000 on "
    "the summed loss) tells rightly, trained on the same samples: 1 where a plane separates the classes; of the input "
    "too (layer `input`, depth 0); where there is one class a sample"
)
STRENGTH = 1000.0  # scikit-learn's C: so weak a penalty that separable classes are separated


def probe_accuracy(features: "Tensor", classes: "Tensor") -> "Tensor":
    """Accuracy of a logistic regression on the samples that it was trained on, in [0, 1].

    Args:
        features: (replicas, samples, features), float64.
        classes: class numbers, (samples,), the same of all replicas.

    Returns:
        (replicas,); 1 where there is one class only.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    h, y = features.detach().numpy(force=True), classes.numpy(force=True)
    if len(set(y.tolist())) < 2:
        return features.new_ones(len(h))
    found = []
    for own in h:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # accuracy stands long before the weights do
            found.append(float(probe.fit(own, y).score(own, y)))
    return features.new_tensor(found)
