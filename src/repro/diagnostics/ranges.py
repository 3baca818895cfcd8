"""Between which values a number lies, by its name: one place for axes, intervals and verdicts. No torch is imported."""

from repro.diagnostics.quantities import REGISTRY
from repro.storage import metrics
from repro.storage.metrics import Range


def range_of(name: str) -> Range:
    """Between which values a metric or a layers' quantity lies; infinite where there is no bound.

    Args:
        name: as in the columns `metric` and `quantity`, or a column of the runs table: `test_accuracy`, `dead_share`.
    """
    numbered = f"`{name.rstrip('0123456789')}"  # gradient_through_time_07
    for q in REGISTRY.values():
        if name in (q.name, q.column) or (numbered.endswith("_") and numbered in q.writes):
            return q.within
    return metrics.value_range(name)
