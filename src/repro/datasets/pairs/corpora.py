"""Multi30k, Europarl and pairs of one's own."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from repro.datasets.pairs.batches import Pairs
from repro.datasets.pairs.read import Options, Sides, aligned, made, tokenized_sides
from repro.datasets.pairs.vocabulary import text_package
from repro.datasets.store.checksums import read
from repro.datasets.store.files import joined
from repro.errors import UserError
from repro.storage.metrics import SPLITS

SIDES = ("en", "fr")
COUNTS = {"train": 29_000, "valid": 1_014, "test": 1_000}  # of Multi30k
SAMPLE = {"train": 2_594, "valid": 200, "test": 200}  # of the 2,994 pairs of the Europarl sample
ARCHIVED = ("training/europarl-v7.fr-en.", "dev/newstest2011.", "dev/newstest2012.")  # train, valid, test


def multi30k(
    source: str,
    target: str,
    vocabulary: int | None,
    bpe: int | None,
    longest: int,
    subset: int | None,
    held_out: int | None,
    data_dir: str | None,
) -> Pairs:
    """Captions of Flickr30k in English and their French translations (Elliott et al. 2016, 2017), test_2016_flickr.

    29,000 / 1,014 / 1,000 pairs, case kept, tokenized by the rules of Moses.

    Args:
        source: en or fr.
        target: the other one.
        vocabulary, bpe, longest, subset, held_out: see `repro.datasets.pairs.read.Options`.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed, the extra `[text]` or a file is missing, a file is not the official one.
    """
    options = Options(*_languages(source, target), vocabulary, bpe, longest, subset, held_out)

    def split(contents: list[bytes]) -> list[Sides]:
        names = [(f"{split}.en", f"{split}.fr") for split in SPLITS]
        found = [aligned(contents[2 * i], contents[2 * i + 1], names[i]) for i in range(3)]
        for split_name, sides in zip(SPLITS, found, strict=True):
            if len(sides[0]) != COUNTS[split_name]:
                raise UserError(f"multi30k: {split_name} has {len(sides[0])} pairs, not {COUNTS[split_name]}")
        return found

    return _official("multi30k", options, split, data_dir)


def europarl_sample(
    source: str,
    target: str,
    vocabulary: int | None,
    bpe: int | None,
    longest: int,
    subset: int | None,
    held_out: int | None,
    data_dir: str | None,
) -> Pairs:
    """2,994 of the 2,007,723 pairs of Europarl v7: a sample to try things on, not the corpus; it has no address.

    2,594 / 200 / 200 pairs in the corpus's order; 6 pairs with an empty side are left out. Arguments as in `multi30k`.
    """
    options = Options(*_languages(source, target), vocabulary, bpe, longest, subset, held_out)

    def split(contents: list[bytes]) -> list[Sides]:
        sides = aligned(contents[0], contents[1], ("europarl-v7.fr-en.en", "europarl-v7.fr-en.fr"), skip_empty=True)
        found, first = [], 0
        for count in SAMPLE.values():
            found.append((sides[0][first : first + count], sides[1][first : first + count]))
            first += count
        return found

    return _official("europarl_sample", options, split, data_dir)


def europarl(
    source: str,
    target: str,
    vocabulary: int | None,
    bpe: int | None,
    longest: int,
    subset: int | None,
    held_out: int | None,
    data_dir: str | None,
) -> Pairs:
    """Europarl v7 (Koehn 2005), about 2.0 million pairs; newstest2011 for validation and newstest2012 for test.

    Pairs with an empty side are left out. Arguments as in `multi30k`.
    """
    options = Options(*_languages(source, target), vocabulary, bpe, longest, subset, held_out)

    def split(contents: list[bytes]) -> list[Sides]:
        found = []
        for i, prefix in enumerate(ARCHIVED):
            names = (f"{prefix}en", f"{prefix}fr")
            found.append(aligned(*unpacked(contents[min(i, 1)], names), names, skip_empty=True))
        return found

    return _official("europarl", options, split, data_dir)


def parallel_text(
    path: str,
    source: str,
    target: str,
    vocabulary: int | None,
    bpe: int | None,
    longest: int,
    subset: int | None,
    held_out: int | None,
) -> Pairs:
    """Pairs of one's own: a folder with train.LANGUAGE, valid.LANGUAGE and test.LANGUAGE of two languages (also .gz).

    Args:
        path: of the folder.
        source, target: languages, as Moses knows them (en, fr, de, ...); a language it does not know is cut as English.
        vocabulary, bpe, longest, subset, held_out: see `repro.datasets.pairs.read.Options`.

    Raises:
        UserError: names the file, and the line.
    """
    options = Options(source, target, vocabulary, bpe, longest, subset, held_out)
    options.check()
    text_package("sacremoses")
    folder, texts = Path(path), {}
    for split in SPLITS:
        files = [_found(folder, f"{split}.{language}") for language in (source, target)]
        sides = aligned(read(files[0]), read(files[1]), (str(files[0]), str(files[1])))
        texts[split] = sides, tokenized_sides(sides, options)
    return made("parallel_text", texts, options, f"parallel_text: {folder}")


def _found(folder: Path, name: str) -> Path:
    found = next((folder / f"{name}{suffix}" for suffix in ("", ".gz") if (folder / f"{name}{suffix}").is_file()), None)
    if found is None:
        raise UserError(f"there is no {name} (or {name}.gz) in {folder}, the folder of dataset.path")
    return found


def _languages(source: str, target: str) -> tuple[str, str]:
    if {source, target} != set(SIDES):
        raise UserError(f"dataset.source and dataset.target must be en and fr, one each, not {source} and {target}")
    return source, target


def unpacked(archive: bytes, names: tuple[str, str]) -> tuple[bytes, bytes]:
    """Two files of a .tgz archive; raises a `UserError` where it is cut off or lacks one."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            found = []
            for name in names:
                member = tar.extractfile(name)
                if member is None:
                    raise KeyError(name)
                found.append(member.read())
            return found[0], found[1]
    except (EOFError, tarfile.TarError, OSError) as error:
        raise UserError(f"the archive that has {names[0]} is truncated or damaged ({error}); fetch it anew") from error
    except KeyError as error:
        raise UserError(f"the archive has no file {error}; fetch it anew") from error


def _official(name: str, options: Options, split: Callable[[list[bytes]], list[Sides]], data_dir: str | None) -> Pairs:
    """Official files: tokenized once, and kept so in the cache folder."""
    options.check()
    moses = text_package("sacremoses")
    languages = Options("en", "fr", None, None, 1, None, None)

    def cut(contents: list[bytes]) -> bytes:
        found = split(contents)
        # What was written is needed where there are references: not of training, which may be long.
        written: list[Sides] = [([], []), *found[1:]]
        blocks = [
            block
            for own, sides in zip(written, found, strict=True)
            for block in (*own, *tokenized_sides(sides, languages))
        ]
        return "\0".join("\n".join(block) for block in blocks).encode()

    edition, piece = joined(name, data_dir, cut, f"pairs, sacremoses {getattr(moses, '__version__', '')}")
    blocks = [block.split("\n") for block in piece.decode().split("\0")]
    way = slice(None, None, 1 if options.source == "en" else -1)
    texts = {}
    for i, split_name in enumerate(SPLITS):
        own = blocks[4 * i : 4 * i + 4]
        written, tokens = own[:2][way], own[2:][way]
        texts[split_name] = (written[0], written[1]), (tokens[0], tokens[1])
    return made(name, texts, options, f"{name}: {edition.label}")
