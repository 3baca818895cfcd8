"""Beam search of translations and captions, and what the pretrained net takes to see images: how many a second."""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.measure import Row, run_of
from repro.datasets.captions.features import annotations
from repro.datasets.captions.images import SIDE
from repro.errors import UserError
from repro.model.architectures.captioner import Captioner
from repro.model.architectures.translator import Translator
from repro.model.trees import Tree
from repro.tasks.beam_search import Beam, translations
from repro.training.prepare import components
from repro.training.process import keep_freed_memory

SENTENCES, STEPS, WIDTH, IMAGES, REPEATS = 64, 15, 5, 100, 5
BEAM = Beam(WIDTH, 1.0, STEPS)
SIZES = {"width": 192, "embedding": 96, "attention": 64}


def rows() -> Iterator[Row]:
    """Medians of repeats in one process, on one thread."""
    keep_freed_memory()
    torch.set_num_threads(1)
    make, rng = components(run_of("dataset=xor")).layer_factory, torch.Generator().manual_seed(0)
    assert make is not None
    source = torch.randint(2, 5000, (SENTENCES, STEPS), generator=rng)
    places = torch.randn(SENTENCES, 64, 112, generator=rng)
    translator = Translator((), 5000, make, reset="after", tokens=5000, **SIZES)
    captioner = Captioner((64, 112), 3000, make, attention_depth=1, start_depth=1, dropout=0, **SIZES)
    said = [_found(translator, {"source": source}), _found(captioner, {"image": places})]
    speeds = "; ".join(f"{SENTENCES / _seconds(job):.0f} a second" for job in said)
    yield Row(
        f"beam search, width {WIDTH}, {STEPS} tokens: translations of {STEPS} words; captions of 64 places", speeds
    )
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 3), dtype=np.uint8)
    name = f"EfficientNet-Lite0's map at stride 16, images of {SIDE} x {SIDE}"
    try:
        yield Row(name, f"{IMAGES / _seconds(lambda: annotations(images, IMAGES)):.0f} a second")
    except UserError as error:
        yield Row(name, f"not measured: {error}")


def _found(net: torch.nn.Module, x: Tree) -> Callable[[], object]:
    """A job: a beam search from what a net makes of its input."""
    net.eval()

    def job() -> None:
        with torch.no_grad():
            memory, state = net(x)
            translations(lambda m, s, w: net({"memory": m, "state": s, "word": w}), memory, state, BEAM)

    return job


def _seconds(job: Callable[[], object]) -> float:
    """Of processor time, the median."""
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        job()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)
