"""Images with captions: archive, captions, batches; what the pretrained net sees; Flickr8k from a mirror."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from loading import MIRROR, error_of, load, need_mirror
from repro import errors
from repro.datasets.captions import features
from repro.datasets.captions.batches import Annotations, Captioned
from repro.datasets.captions.flickr8k import captions, described, plain
from repro.datasets.captions.images import mean_colours, pictures
from repro.datasets.pairs.batches import NO_TOKEN
from repro.datasets.protocol import Order
from repro.errors import UserError

pytest.importorskip("efficientnet_lite_pytorch")
CPU = torch.device("cpu")
NOUNS = ["dog", "cat", "bird", "man", "girl", "horse", "ball"]


def caption(image: int, k: int) -> str:
    return " ".join(["a", *(NOUNS[(image * j + k) % 7] for j in range(1, 2 + (image + k) % 6))])


def made(longest: int = 50, vocabulary: int | None = None) -> Captioned:
    kept, first = {}, 0
    for split, count in (("train", 12), ("valid", 4), ("test", 3)):
        kept[split] = {f"{i}.jpg": [caption(i, k) for k in range(5)] for i in range(first, first + count)}
        first += count
    rng = torch.Generator().manual_seed(0)
    maps = (torch.randn(first, 4, 3, generator=rng) * 20 + 5).to(torch.float16)
    return described(kept, maps, vocabulary, longest, Path("nowhere"), "")


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"folder/{name}.jpg", content)
    return out.getvalue()


def jpeg(colour: tuple[int, int, int], side: int = 16) -> bytes:
    pillow = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    pillow.new("RGB", (side, side), colour).save(out, "JPEG", quality=95)
    return out.getvalue()


def test_annotations_are_standardized_by_training_images() -> None:
    data = made()
    train = data.splits["train"].batch(torch.arange(0, 60, 5), CPU).x["image"]
    torch.testing.assert_close(train.mean((0, 1)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(train.std((0, 1), unbiased=False), torch.ones(3))
    held_out = data.splits["test"].batch(torch.arange(3), CPU).x["image"]
    assert held_out.mean((0, 1)).abs().max() > 0.01
    double = next(data.feed(Order((0,), 4, dtype=torch.float64)).batches("test")).x["image"]
    raw = data.splits["test"].annotations.maps.double()
    expected = (raw[-3:] - raw[:12].mean((0, 1))) / raw[:12].flatten(0, 1).std(0, unbiased=False)
    torch.testing.assert_close(double.sort(0).values, expected.sort(0).values, rtol=1e-9, atol=1e-9)


def test_a_number_that_never_changes_is_no_division_by_zero() -> None:
    maps = torch.ones(3, 4, 2, dtype=torch.float16)
    assert not Annotations.of(maps, 2)(torch.arange(3), CPU, torch.float32).any()


def test_a_training_sample_is_a_caption_and_one_of_evaluation_an_image() -> None:
    data = made()
    assert data.sizes == {"train": 60, "valid": 4, "test": 3}
    assert data.shape == (4, 3)
    gallery = data.about.gallery
    batch = data.splits["train"].batch(torch.tensor([7, 58]), CPU)
    for row, (image, k) in enumerate([(1, 2), (11, 3)]):
        tokens = [t for t in batch.y["tokens"][row, 0].tolist() if t != NO_TOKEN]
        assert gallery.words(tokens) == [*caption(image, k).split(), "<eos>"]
        assert batch.x["target"][row, 0].tolist()[: len(tokens)] == [NO_TOKEN, *tokens[:-1]]
        same = data.splits["train"].annotations(torch.tensor([image]), CPU, torch.float32)
        assert torch.equal(batch.x["image"][row], same[0])
    test = data.splits["test"].batch(torch.tensor([2]), CPU)
    said = [gallery.words([t for t in row if t > 0]) for row in test.y["tokens"][0].tolist()]
    assert [" ".join(words) for words in said] == [caption(18, k) for k in range(5)]
    line = int(test.y["line"])
    assert gallery.references[line] == [caption(18, k) for k in range(5)]
    assert gallery.images[line] == "18.jpg"
    assert line in gallery.splits["test"]
    assert len(test.part([0])) == 1


def test_an_epoch_has_every_caption_once_in_batches_of_near_equal_length() -> None:
    feed = made().feed(Order((3,), 4))
    assert feed.per_epoch == 15
    seen = []
    for step in range(15):
        tokens = feed.batch(step).y["tokens"][0, :, 0]
        lengths = (tokens != NO_TOKEN).sum(1)
        assert lengths.max() - lengths.min() <= 1
        seen += [tuple(t for t in row if t != NO_TOKEN) for row in tokens.tolist()]
    assert sorted(seen) == sorted((*made().splits["train"].captions[i].tolist(), 0) for i in range(60))


def test_long_captions_are_left_out_of_training_alone() -> None:
    data = made(longest=4)
    assert int(data.splits["train"].lengths.max()) == 4
    assert int(data.splits["valid"].lengths.max()) == 7
    assert "left out" in data.about.notes[0]
    with pytest.raises(UserError, match="leaves no training caption"):
        made(longest=1)


def test_rare_words_are_unknown() -> None:
    data = made(vocabulary=4)
    assert data.outputs == 4
    assert "unknown of those in validation" in data.about.notes[1]
    assert not data.about.notes[1].endswith(" 0.0%")


def test_captions_are_plain() -> None:
    assert plain('A black dog , and a " tri-colored " dog \'s ball .') == "a black dog and a tri-colored dog 's ball"


LINES = "".join(f"{name}#{k}\tA dog runs .\n" for name in ("a.jpg", "b.jpg", "c.jpg") for k in range(5))
LISTS = {"train": b"a.jpg\n", "valid": b"b.jpg\n", "test": b"c.jpg\n"}
ONE_EACH = dict.fromkeys(LISTS, 1)


def test_files_of_captions() -> None:
    found = captions(LINES.encode(), LISTS, ONE_EACH)
    assert found["valid"] == {"b.jpg": ["a dog runs"] * 5}
    with pytest.raises(UserError, match="valid has 2 images, not 1"):
        captions(LINES.encode(), LISTS | {"valid": b"b.jpg\nc.jpg\n"}, ONE_EACH)
    with pytest.raises(UserError, match=r"c\.jpg of test has 4 captions, not 5"):
        captions(LINES.replace("c.jpg#3\tA dog runs .", "c.jpg#3\t.").encode(), LISTS, ONE_EACH)


def test_images_of_an_archive() -> None:
    archive = packed(red=jpeg((200, 10, 10)), blue=jpeg((10, 10, 200)))
    blue, red = pictures(archive, ["blue.jpg", "red.jpg"], 16)
    assert np.abs(red.astype(int) - [200, 10, 10]).max() < 6
    assert len(mean_colours(blue, 4)) == 4
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, 2:] = [[100, 0, 8], [200, 0, 8]]
    assert mean_colours(image, 4) == [(0, 0, 0), (150, 0, 8), (0, 0, 0), (0, 0, 0)]


def test_bad_archives_are_a_line() -> None:
    archive = packed(red=jpeg((200, 10, 10)), large=jpeg((0, 0, 0), 32), cut=jpeg((9, 9, 9))[:300], text=b"words")
    for content, name, says in (
        (archive, "green.jpg", "has no green.jpg, which has captions"),
        (archive[:-30], "red.jpg", "archive of images is truncated or damaged"),
        (archive, "large.jpg", "large.jpg in the archive of images is 32 x 32, not 16 x 16"),
        (archive, "cut.jpg", "cut.jpg in the archive of images is no whole image"),
        (archive, "text.jpg", "text.jpg in the archive of images is no whole image"),
        (
            archive.replace(jpeg((200, 10, 10))[-40:], b"\0" * 40),
            "red.jpg",
            "red.jpg in the archive of images is no whole",
        ),
    ):
        with pytest.raises(UserError, match=says):
            list(pictures(content, [name], 16))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocabulary": 2}, "dataset.vocabulary=2 leaves no room for a word beside <eos> and <unk>"),
        ({"vocabulary": 0}, "vocabulary must be a whole number of 1 or more, not 0"),
        ({"longest": 0}, "longest must be a whole number of 1 or more, not 0"),
        ({"subset": 0}, "subset must be a whole number of 1 or more, not 0"),
        ({"held_out": -1}, "held_out must be a whole number of 1 or more, not -1"),
    ],
)
def test_options_are_refused_before_anything_is_read(
    changes: dict[str, int], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPRO_DATA", raising=False)
    assert says in error_of("flickr8k", **changes)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(errors, "import_module", missing)
    assert "-e '.[captions]' (No module named 'efficientnet_lite_pytorch')" in error_of("flickr8k")


def test_without_the_mirror_it_says_what_to_put_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REPRO_DATA", raising=False)
    said = error_of("flickr8k", data_dir=str(tmp_path))
    assert "Flickr8k.token.txt not found" in said
    assert "there is no place to download it from" in said


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "WEIGHTS", "0" * 64)
    with pytest.raises(UserError, match="is not the recorded file of weights: sha256 expected 000"):
        features.pretrained()


def test_flickr8k(tmp_path: Path) -> None:
    """A few of its images; what is kept of them is what the net gives, and is read the second time."""
    need_mirror("flickr8k")
    data = load("flickr8k", subset=5, held_out=3, data_dir=str(tmp_path))
    assert data.sizes == {"train": 25, "valid": 3, "test": 3}
    assert data.shape == (64, 112)
    assert "images stretched and reduced to 128 x 128" in data.source
    assert data.about.gallery.references[0][1] == "two girls play on a skateboard in a courtyard"
    assert data.about.gallery.images[0] == "2090545563_a4e66ec76b.jpg"
    colours = data.about.gallery.colours(0)
    assert len(colours) == 64
    maps = data.splits["train"].annotations.maps
    assert maps.dtype == torch.float16
    net, archive = features.pretrained(), (Path(str(MIRROR)) / "flickr8k/Flicker8k_Dataset_128px.zip").read_bytes()
    (image,) = pictures(archive, ["2090545563_a4e66ec76b.jpg"], 128)
    with torch.no_grad():
        seen = features.map_at_16(net, features.inputs([image]))[0]
    torch.testing.assert_close(maps[5, 8 * 3 + 2].float(), seen[:, 3, 2], rtol=2e-3, atol=2e-2)
    (kept,) = (tmp_path / "flickr8k").glob("unpacked-*.bin")
    written = kept.stat().st_mtime_ns
    assert torch.equal(
        load("flickr8k", subset=5, held_out=3, data_dir=str(tmp_path)).splits["train"].annotations.maps, maps
    )
    assert kept.stat().st_mtime_ns == written


# Classes of ImageNet by number, where the photographs have something of the kind, and how captions call it.
CALLED = [
    (range(151, 269), "dog dogs puppy puppies"),
    ((444, 671, 870, 880), "bike bikes bicycle bicycles biker cyclist bicyclist"),
    ((450, 537, 795, 802), "snow snowy ski skier sled snowboarder"),
    ((977, 978), "beach ocean sea sand shore water waves wave"),
    ((433, 445, 801, 842), "water pool swimming swims swim beach snorkel goggles"),
    ((429, 430, 560, 768, 805, 890, 981), "ball basketball soccer rugby football baseball"),
    ((970, 972, 979), "rock rocks cliff mountain mountains hill climbing climber"),
    ((518, 665, 670), "motorcycle motorbike bike dirt scooter rider"),
    ((472, 576, 693, 814), "boat canoe kayak water river paddle raft"),
    ((752,), "tennis"),
    ((843,), "swing swinging swings"),
    ((339,), "horse horses"),
]


def test_the_weights_are_right() -> None:
    """Class names of a hundred photographs agree with words of their own captions, and not with those of others."""
    need_mirror("flickr8k")
    folder = Path(str(MIRROR)) / "flickr8k"
    names = (folder / "Flickr8k_text/Flickr_8k.testImages.txt").read_text().split()[::10]
    words: dict[str, set[str]] = {name: set() for name in names}
    for line in (folder / "Flickr8k_text/Flickr8k.token.txt").read_text().splitlines():
        name, _, text = line.partition("#")
        if name in words:
            words[name] |= set(text.lower().split())
    with torch.no_grad():
        net = features.pretrained()
        archive = (folder / "Flicker8k_Dataset_128px.zip").read_bytes()
        said = net(features.inputs(pictures(archive, names, 128))).argmax(1).tolist()
    names_of = {number: set(called.split()) for numbers, called in CALLED for number in numbers}
    called = [(names_of[number], name) for number, name in zip(said, names, strict=True) if number in names_of]
    agreed = sum(bool(some & words[name]) for some, name in called)
    by_chance = sum(bool(some & own) for some, _ in called for own in words.values()) / len(names)
    assert len(called) >= 30
    assert agreed >= 4 * by_chance
    assert agreed >= 25
