"""Sequences that grow with the run."""

from repro.errors import UserError, number, whole


class Growth:
    """Length rises in a straight line from `start` to the full length over the first `share` of the updates.

    Gulcehre et al. 2016, section 6.6, train on sequences "from short to long" without saying how; the line is ours.

    Args:
        start: length at the first update, 1 or more.
        share: of the run's updates until the full length is reached, in (0, 1].
    """

    def __init__(self, start: int, share: float) -> None:
        self.start = whole("curriculum.start", start, 1)
        self.share = number("curriculum.share", share, 0, 1, ends="(]")

    def check(self, full: int) -> None:
        """Raise a `UserError` when sequences would have to start longer than they end."""
        if self.start > full:
            raise UserError(f"curriculum.start={self.start} is above dataset.length={full}; take one up to {full}")

    def length(self, update: int, updates: int, full: int) -> int:
        """Length during update 0, 1, ... of a run of `updates`, up to `full`.

        start + floor((full − start) · update / (share · updates)) until that is `full`.
        """
        growing = self.share * updates
        if update >= growing:
            return full
        return self.start + int((full - self.start) * update / growing)
