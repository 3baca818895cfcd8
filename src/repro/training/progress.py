"""What is seen while a run trains: a bar on a terminal, elsewhere a line an evaluation, of many some."""

import math
from collections.abc import Mapping

import numpy as np

from repro.bars import Outlook, bar, say

LINES = 20  # at most


class Progress:
    """Shows how far a run has come.

    Args:
        total: updates in all.
        done: updates already made by an earlier process.
    """

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.bar = bar(total, "", "step", delay=0, initial=done)
        self._step, self._outlook = done, Outlook(total, "training", done)
        self._due = 0  # the step from which on the next evaluation has a line

    def advance(self, steps: int) -> None:
        """So many updates more."""
        self.bar.update(steps)
        self._step += steps
        self._outlook.reached(self._step)

    def evaluated(self, step: int, epoch: float, scores: Mapping[tuple[str, str], np.ndarray]) -> None:
        """Show the scores of an evaluation; with several replicas their mean over those that are finite."""
        if self.bar.disable and step < self._due:
            return
        if self.bar.disable:
            share = max(self.total, 1) / (LINES - 1)
            self._due = min(self.total, math.ceil((step // share + 1) * share))
            text = "  ".join(f"{split} {metric} {_mean(values):.4f}" for (split, metric), values in scores.items())
            say(f"epoch {epoch:g}  step {step}/{self.total}  {text}")
        else:
            # What fits beside the bar; the whole of it is in curves.csv.
            shown = {k: v for k, v in scores.items() if k == ("train", "loss") or k[0] == "valid"}
            text = ", ".join(f"{split} {metric} {_mean(values):.3g}" for (split, metric), values in shown.items())
            self.bar.set_description(f"epoch {epoch:g}", refresh=False)
            self.bar.set_postfix_str(text)

    def close(self) -> None:
        """Finish the line."""
        self.bar.close()


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
