"""The columns of every table; defined here and nowhere else."""

# Of one run, in its folder.
CURVES = ("run", "seed", "step", "epoch", "split", "metric", "value")
LAYERS = ("run", "seed", "step", "epoch", "layer", "depth", "quantity", "value")
SPECTRUM = ("run", "seed", "step", "epoch", "method", "quantity", "index", "value", "error")
PREDICTIONS = ("run", "seed", "step", "split", "sample", "input_0", "input_1", "target", "predicted")
TEXTS = ("run", "seed", "step", "split", "sample", "target", "predicted")
# Not collected: where a translation of a few sentences looked.
ATTENTION = ("run", "seed", "sample", "target_place", "target_word", "source_place", "source_word", "value")
# The same of captions of a few images: words said, and of each place of the image its mean colour, 0 to 255.
LOOKS = ("run", "seed", "sample", "word_place", "word", "place", "image", "red", "green", "blue", "value")
SERIES = {
    "curves": CURVES,
    "layers": LAYERS,
    "predictions": PREDICTIONS,
    "spectrum": SPECTRUM,
    "texts": TEXTS,
    "looks": LOOKS,
}
WHERE_ASKED_FOR = frozenset({"predictions", "spectrum", "texts", "looks"})
FLOATS = frozenset({"epoch", "value", "error", "input_0", "input_1"})

# Of a study, collected: the runs' columns before and behind settings and metrics.
HEAD = ("run", "variant", "seed", "status", "scale")
TAIL = ("steps", "seconds", "steps_per_second", "device", "commit")
MACHINE = frozenset({"seconds", "steps_per_second", "device", "commit"})  # of these, what training again may change


def collected(name: str) -> tuple[str, ...]:
    """The columns of a study's table of that name: those of a run's, with the variant behind the run."""
    run, *others = SERIES[name]
    return (run, "variant", *others)
