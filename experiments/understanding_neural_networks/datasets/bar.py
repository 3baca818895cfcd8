"""A neuron set by hand that looks for a bar, and what it is shown."""

import numpy as np

SIDE = 28
ROWS, COLUMNS = slice(13, 15), slice(8, 20)  # the bar: 2 × 12 pixels in the middle


def weights(surround: bool) -> np.ndarray:
    """+1 on the bar, and with a surround −1 on the row above and the one below; (28, 28)."""
    made = np.zeros((SIDE, SIDE))
    if surround:
        made[ROWS.start - 1 : ROWS.stop + 1, COLUMNS] = -1
    made[ROWS, COLUMNS] = 1
    return made


def stimuli(noise: np.ndarray) -> dict[str, np.ndarray]:
    """Images of pixels in [0, 1]: the bar, a block over it and its surround, an upright bar, and the noise given."""
    bar, block = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    bar[ROWS, COLUMNS] = 1
    block[ROWS.start - 5 : ROWS.stop + 5, COLUMNS] = 1
    return {"bar": bar, "block": block, "upright": bar.T.copy(), "noise": noise}
