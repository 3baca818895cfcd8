"""How far a layer has told the classes apart: by its activations' variances, and by a linear probe."""

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

RATIO_SAYS = (
    "Σ꜀ (n꜀/B) ‖μ꜀ − μ‖² / ((1/B) Σᵢ ‖*h*ᵢ − μ꜀₍ᵢ₎‖²): variance of the classes' means of *h* over the mean variance "
    "within a class, of the input (layer `input`, depth 0) and of every layer with activations; where there is one "
    "class a sample"
)
PROBE_SAYS = (
    "share of the probe batch's samples that a logistic regression on *h* (features standardized, penalty ‖w‖²/2000 on "
    "the summed loss) tells rightly, trained on the same samples: 1 where a plane separates the classes; of the input "
    "too, as `separation_ratio`"
)
STRENGTH = 1000.0  # scikit-learn's C: so weak a penalty that separable classes are separated


def separation_ratio(out: "Tensor", classes: "Tensor") -> "Tensor":
    """Variance between classes over variance within them, 0 or more; infinite where only the former is there.

    Args:
        out: activations, (replicas, samples, ...).
        classes: one a sample, (samples,), the same of all replicas.

    Returns:
        (replicas,).
    """
    h = out.double().flatten(2)
    middle = h.mean(1, keepdim=True)
    between, within = h.new_zeros(len(h)), h.new_zeros(len(h))
    for name in set(classes.tolist()):
        own = h[:, classes == name]
        mean = own.mean(1, keepdim=True)
        between += own.shape[1] * (mean - middle).square().sum((1, 2))
        within += (own - mean).square().sum((1, 2))
    return between / within


def probe_accuracy(out: "Tensor", classes: "Tensor") -> "Tensor":
    """Accuracy of a logistic regression on the samples that it was trained on, in [0, 1]; arguments as above."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    h, y = out.detach().double().flatten(2).numpy(force=True), classes.numpy(force=True)
    if len(set(y.tolist())) < 2:
        return out.new_ones(len(h)).double()
    found = []
    for own in h:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # accuracy stands long before the weights do
            found.append(float(probe.fit(own, y).score(own, y)))
    return out.new_tensor(found).double()
