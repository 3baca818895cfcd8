"""What is seen while a run trains: a bar on a terminal, a line an evaluation elsewhere."""

import sys
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm


class Progress:
    """Shows how far a run has come.

    Args:
        name: of the run.
        total: updates in all.
        done: updates already made by an earlier process.
    """

    def __init__(self, name: str, total: int, done: int) -> None:
        self.total = total
        self.bar = tqdm(total=total, initial=done, desc=name, unit="step", disable=None, leave=False, file=sys.stderr)

    def advance(self, steps: int) -> None:
        """So many updates more."""
        self.bar.update(steps)

    def evaluated(self, step: int, epoch: float, scores: Mapping[tuple[str, str], np.ndarray]) -> None:
        """Show the scores of an evaluation; with several replicas their mean over those that are finite."""
        text = "  ".join(f"{split} {metric} {_mean(values):.4f}" for (split, metric), values in scores.items())
        if self.bar.disable:
            print(f"epoch {epoch:g}  step {step}/{self.total}  {text}", file=sys.stderr, flush=True)
        else:
            self.bar.set_postfix_str(text.replace("  ", " · "))

    def close(self) -> None:
        """Finish the line."""
        self.bar.close()


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
