"""Scenes with captions: two things at two of nine places, and nothing that tells places from each other."""

from pathlib import Path

import torch

from repro.datasets.captions.batches import Captioned
from repro.datasets.captions.flickr8k import described

THINGS = ["dog", "cat", "ball", "tree", "boat"]
PLACES = 9
WAYS = ["a {} and a {}", "a {} with a {}", "a {} and then a {}", "one {} and one {}", "a {} beside a {}"]
SIZES = {"train": 160, "valid": 12, "test": 11}


class Drawn:
    """A gallery whose images lie in no archive."""

    def __init__(self, gallery) -> None:
        self.gallery = gallery

    def __getattr__(self, name: str):
        return getattr(self.gallery, name)

    def colours(self, line: int) -> list[tuple[int, int, int]]:
        return [(10 * place, line, 255) for place in range(PLACES)]


def things(image: int) -> list[tuple[int, str]]:
    """Place and name of the two things of an image."""
    first = image % (PLACES - 1)
    second = first + 1 + image // 8 % (PLACES - 1 - first)
    return [(first, THINGS[image * 7 % 5]), (second, THINGS[(image * 3 + image // 5) % 5])]


def scenes(held_out: int | None) -> Captioned:
    kept, maps, image = {}, [], 0
    for split, size in SIZES.items():
        kept[split] = {}
        for _ in range(size if split == "train" else held_out or size):
            place = torch.zeros(PLACES, len(THINGS))
            for where, name in things(image):
                place[where, THINGS.index(name)] = 1
            maps.append(place)
            kept[split][f"{image}.jpg"] = [way.format(*(name for _, name in things(image))) for way in WAYS]
            image += 1
    data = described(kept, torch.stack(maps).to(torch.float16), None, 50, Path("nowhere"), "")
    object.__setattr__(data.about, "gallery", Drawn(data.about.gallery))
    return data
