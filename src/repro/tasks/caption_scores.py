"""What is counted of captions against several references each: BLEU, CIDEr and METEOR, as the COCO tools have them.

All of them come as numbers that can be added up over images. Captions are lower case with a blank between words.
"""

import math
import shutil
import subprocess
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from repro.datasets.captions.images import captions_package

ORDERS = 4  # n-grams that are counted
References = Sequence[str]
"""Captions of one image."""


def bleu_parts(said: Sequence[str], wanted: Sequence[References]) -> list[float]:
    """Right n-grams, n-grams said, words said, words of the references nearest in length; 10 numbers."""
    scorer, parts = captions_package("pycocoevalcap.bleu.bleu_scorer"), np.zeros(2 * ORDERS + 2)
    for one, references in zip(said, wanted, strict=True):
        found = scorer.cook_test(one, scorer.cook_refs(references, n=ORDERS), eff="closest", n=ORDERS)
        parts += [*found["correct"], *found["guess"], found["testlen"], found["reflen"]]
    return [float(part) for part in parts]


def bleus(parts: Sequence[float]) -> list[float]:
    """BLEU of 1 to 4 words, in hundredths: n-grams up to that many, not smoothed, with the penalty for being short."""
    right, said, (length, wanted) = parts[:ORDERS], parts[ORDERS : 2 * ORDERS], parts[2 * ORDERS :]
    penalty = 1.0 if length >= wanted else math.exp(1 - wanted / length) if length else 0.0
    scores, logs = [], 0.0
    for n in range(ORDERS):
        logs += math.log(right[n] / said[n]) if right[n] else -math.inf
        scores.append(100 * penalty * math.exp(logs / (n + 1)))
    return scores


class Cider:
    """CIDEr-D (Vedantam et al. 2015): what n-grams captions share, rare ones weighing more.

    Args:
        references: of all images of a split, which say how rare an n-gram is.
    """

    def __init__(self, references: Sequence[References]) -> None:
        self.package, self.images = captions_package("pycocoevalcap.cider.cider_scorer"), len(references)
        known = self.package.CiderScorer(n=ORDERS)
        known.crefs = [self.package.cook_refs(own, n=ORDERS) for own in references]
        known.compute_doc_freq()
        self.frequency = known.document_frequency

    def total(self, said: Sequence[str], wanted: Sequence[References]) -> float:
        """The sum over some images, of numbers from 0 to 10."""
        scorer = self.package.CiderScorer(n=ORDERS)
        scorer.document_frequency = self.frequency
        scorer.ctest = [self.package.cook_test(one, n=ORDERS) for one in said]
        scorer.crefs = [self.package.cook_refs(own, n=ORDERS) for own in wanted]
        # The scorer takes their number for that of the split; those beyond `said` it does not look at.
        scorer.crefs += [[]] * (self.images - len(said))
        return float(sum(scorer.compute_cider()))


@cache
def java() -> str | None:
    """The program that runs Java, where there is one that works."""
    path = shutil.which("java")
    if path is None or subprocess.run([path, "-version"], capture_output=True, check=False).returncode:
        return None
    return path


class Meteor:
    """METEOR 1.5 (Denkowski and Lavie 2014), a Java program that is started when it is first asked, and ends with this.

    Args:
        java: the program that runs Java.
    """

    def __init__(self, java: str) -> None:
        self.java = java
        self.process: subprocess.Popen[str] | None = None

    def counts(self, said: Sequence[str], wanted: Sequence[References]) -> list[float]:
        """What it counts in captions, added up."""
        total: np.ndarray | None = None
        for one, references in zip(said, wanted, strict=True):
            line = self._asked(" ||| ".join(["SCORE", *references, one or " "]), 1)[0]
            counted = np.array(line.split(), dtype=float)
            total = counted if total is None else total + counted
        return [] if total is None else [float(value) for value in total]

    def score(self, counts: Sequence[float]) -> float:
        """The score of such counts, in hundredths."""
        # It answers with the score of each line of counts, of which there is one, and of all.
        return 100 * float(self._asked(f"EVAL ||| {' '.join(f'{count:.1f}' for count in counts)}", 2)[1])

    def _asked(self, line: str, answers: int) -> list[str]:
        if self.process is None:
            self.process = self._started()
        asked, said = self.process.stdin, self.process.stdout
        assert asked is not None
        assert said is not None
        asked.write(f"{line}\n")
        asked.flush()
        found = [said.readline().strip() for _ in range(answers)]
        if not all(found):
            raise RuntimeError(f"METEOR gave no answer to {line!r}; does {self.java} have 2 GB of memory?")
        return found

    def _started(self) -> "subprocess.Popen[str]":
        folder = Path(str(captions_package("pycocoevalcap.meteor.meteor").__file__)).parent
        words = [self.java, "-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            words, cwd=folder, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
        weakref.finalize(self, _end, process)
        return process


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    streams: list[IO[str] | Any] = [process.stdin, process.stdout]
    for stream in streams:
        stream.close()
