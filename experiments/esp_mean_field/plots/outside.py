"""Which numbers of the authors' one run no seed of ours has, at the epoch at which the run was saved last.

Or at the measured one that is nearest to it.
"""

import pandas as pd

from repro.storage.statistics import number

from .spectra import END_POINTS, NAMES, Study

ROUNDING = 1e-4  # relative: the authors' numbers are kept with five digits


def outside(found: Study, without: tuple[str, ...] = ()) -> pd.DataFrame:
    """One row for each of the authors' end points, and one for all of them together.

    A run like any of n would lie beyond all of n in one number of (n + 1) / 2, so that some are to be expected.

    Args:
        without: headings of END_POINTS that the authors did not save.

    Returns:
        Words: net, unit, epoch, how many numbers were compared, how many would be outside by chance (fewer where seeds
        share a value), how many are, which, each with the authors' number and our range, and the epoch since which the
        loss is.
    """
    measured = [(heading, metric, column) for heading, metric, column in END_POINTS if heading not in without]
    rows, chance, total = [], 0.0, 0
    for net, words in found.nets.items():
        for unit, name in NAMES.items():
            saved = found.authors[(found.authors["net"] == net) & (found.authors["activation"] == unit)]
            theirs = saved.tail(1)
            own = found.curves[(found.curves["net"] == net) & (found.curves["unit"] == unit)]
            if theirs.empty or own.empty:
                continue
            epoch = int(theirs["epoch"].iloc[0])
            since = _since(own, saved)
            nearest = min(own["step"].unique(), key=lambda step: abs(step - epoch))
            own = own[own["step"] == nearest]
            which = []
            for heading, metric, column in measured:
                published, values = float(theirs[column].iloc[0]), own.loc[own["metric"] == metric, "value"]
                if not _among(published, values):
                    spread = f"[{number(float(values.min()), 3)}, {number(float(values.max()), 3)}]"
                    which.append(f"{heading} {number(published, 3)} {spread}")
            expected = 2 * len(measured) / (own["seed"].nunique() + 1)
            when = str(epoch) if nearest == epoch else f"{epoch}, ours {nearest}"
            rows.append(_row(words, name, when, len(measured), expected, len(which), "; ".join(which) or "–", since))
            chance, total = chance + expected, total + len(which)
    if rows:
        ends = f"{sum(row['outside'] != '0' for row in rows)} of {len(rows)} end points"
        rows.append(_row("all", "", "", len(measured) * len(rows), chance, total, ends, ""))
    return pd.DataFrame(rows)


def _among(published: float, values: "pd.Series[float]") -> bool:
    low, high = float(values.min()), float(values.max())
    return low - ROUNDING * abs(low) <= published <= high + ROUNDING * abs(high)


def _since(own: pd.DataFrame, saved: pd.DataFrame) -> str:
    """The epoch since which the authors' loss was outside all seeds, of those at which both were measured."""
    ours = {int(str(step)): rows["value"] for step, rows in own[own["metric"] == "loss"].groupby("step")}
    theirs = dict(zip(saved["epoch"].astype(int), saved["loss"].astype(float), strict=True))
    since = "–"
    for epoch in sorted(ours.keys() & theirs.keys()):
        among = _among(theirs[epoch], ours[epoch])
        since = "–" if among else str(epoch) if since == "–" else since
    return since


def _row(
    net: str, unit: str, epoch: str, compared: int, chance: float, count: int, which: str, since: str
) -> dict[str, str]:
    return {
        "net": net,
        "unit": unit,
        "epoch": epoch,
        "numbers": str(compared),
        "by chance, at most": number(chance, 2),
        "outside": str(count),
        "which": which,
        "loss outside since": since,
    }
