"""Figures of the translation study: BLEU and likelihood by epoch, and at the end beside Table 4. Trains nothing."""

from matplotlib.figure import Figure

from repro.plots.experiment import Tables
from repro.plots.style import activation_look

from .plots.text_scores import Nets, at_the_end, by_epoch

NETS = Nets(
    names={"reference": "tanh, sigmoid (reference)", "hard": "hard, no noise", "leak": "leak, no noise", "nah": "NAH"},
    colors={
        "reference": activation_look("tanh").color,
        "hard": activation_look("hard_tanh").color,
        "leak": activation_look("hard_tanh").color,
        "nah": activation_look("noisy_tanh", "nah").color,
    },
    dashed=("leak",),
    together=(("reference", "nah"), ("hard", "leak")),
    published={  # on Europarl
        "reference": {"loss": 65.26, "bleu": 20.18},
        "hard": {"loss": 64.27, "bleu": 21.59},
        "nah": {"loss": 63.46, "bleu": 22.57},
    },
    table="Table 4",
    said="translations",
)
PANELS = {"loss": "NLL of a sentence, nats", "bleu": "BLEU"}


def figures(tables: Tables) -> dict[str, Figure]:
    """Both metrics on the validation pairs by epoch, and those of the net that was kept."""
    variants = NETS.there(tables.curves)
    return {
        "by_epoch": by_epoch(tables.curves, NETS, PANELS),
        "table4": at_the_end(tables.runs, variants, NETS, PANELS, "valid"),
    }
