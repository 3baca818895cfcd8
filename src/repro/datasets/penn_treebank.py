"""Penn Treebank, the words of the Wall Street Journal as Mikolov prepared them, for language models."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from repro.datasets.store.files import contents
from repro.datasets.text import Text
from repro.errors import UserError, whole

END, UNKNOWN = "<eos>", "<unk>"
TOKENS = {"train": 929_589, "valid": 73_760, "test": 82_430}


def penn_treebank(
    window: int, subset: int | None, held_out: int | None, min_count: int | None, data_dir: str | None
) -> Text:
    """929,589 / 73,760 / 82,430 tokens of 10,000 types, lower case, numbers N, each line ended by <eos>.

    Types are numbered by their first appearance in train, then valid, then test.

    Args:
        window: steps of a batch; the state of a recurrent net is carried from window to window.
        subset: number of training tokens kept, from the beginning; None keeps all.
        held_out: number of validation and of test tokens kept, from their beginnings; None keeps all.
        min_count: words seen less often than this in the tokens kept become <unk> everywhere; None keeps all.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing or not the official one.
    """
    whole("window", window, 1)
    for option, value, least in (("subset", subset, 2), ("held_out", held_out, 2), ("min_count", min_count, 1)):
        if value is not None:
            whole(option, value, least)
    edition, files = contents("penn_treebank", data_dir)
    splits = {name: words(file) for name, file in zip(TOKENS, files, strict=True)}
    if subset is not None and subset > len(splits["train"]):
        raise UserError(f"subset must be at most the {len(splits['train'])} training tokens, not {subset}")
    splits = {name: text[: subset if name == "train" else held_out] for name, text in splits.items()}
    if min_count is not None:
        seen = Counter(splits["train"])
        kept = {word for word, count in seen.items() if count >= min_count} | {UNKNOWN, END}
        splits = {name: [w if w in kept else UNKNOWN for w in text] for name, text in splits.items()}
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(w for text in splits.values() for w in text))}
    numbered = {name: torch.from_numpy(numbers(text, vocabulary)) for name, text in splits.items()}
    return Text("penn_treebank", numbered, len(vocabulary), window, f"penn_treebank: {edition.label}")


def words(file: bytes) -> list[str]:
    """The tokens of a file: its words, and END for each end of a line."""
    return file.decode().replace("\n", f" {END} ").split()


def numbers(text: Sequence[str], vocabulary: dict[str, int]) -> NDArray[np.int64]:
    """Tokens as the numbers of their types."""
    return np.fromiter((vocabulary[word] for word in text), dtype=np.int64, count=len(text))
