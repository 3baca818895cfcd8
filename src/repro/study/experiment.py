"""Experiment files: what is to be run, at which scale, and where its tables go."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from repro.claims.evidence import POCOCK
from repro.config import yaml_files
from repro.config.groups import RUNS, default_options, own_option
from repro.errors import UserError, unknown
from repro.paths import experiments_dir
from repro.study.tolerance import Tolerance, of_metric, read_all

SCALES = ("smoke", "quick", "full")


@dataclass(frozen=True)
class Job:
    """One run of an experiment.

    Attributes:
        variant: name of the variant, with the values of the axes after it where there are axes.
        overrides: words that `repro train` would take.
        swept: the axes' settings.
    """

    variant: str
    overrides: tuple[str, ...]
    swept: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """An experiment file, `experiments/<paper>/<experiment>.yaml`.

    Attributes:
        name: "<paper>/<experiment>".
        reproduction: the file's node of that name.
    """

    name: str
    reproduction: dict[str, Any]

    @property
    def paper(self) -> str:
        """The folder of its paper."""
        return self.name.partition("/")[0]

    @property
    def short(self) -> str:
        """Its name without its paper's."""
        return self.name.partition("/")[2]

    @property
    def variants(self) -> dict[str, list[str]]:
        """Override words by the variant's name."""
        return {str(k): [str(w) for w in v or []] for k, v in self.reproduction.get("variants", {"base": []}).items()}

    @property
    def published_scale(self) -> str:
        """The scale whose tables are published: `full` unless the file says `published_scale`."""
        return str(self.reproduction.get("published_scale", "full"))

    def judged_at(self, scale: str) -> bool:
        """Whether claims get verdicts at a scale; at all but these there are numbers only."""
        return scale == "published" or scale in self.judged_scales

    @property
    def judged_scales(self) -> list[str]:
        """The published scale, for which claims were worded, and `full`, which is the paper's own.

        Smaller nets and fewer seeds decide nothing about a paper, nor do settings of the user's own.
        """
        return list(dict.fromkeys((self.published_scale, "full")))

    @property
    def looks(self) -> int:
        """How often its data were looked at before the last seeds were added, `looks` in the file; 1 is once."""
        looks = self.reproduction.get("looks", 1)
        if looks not in POCOCK:
            raise UserError(f"{self.name}: looks is {looks!r}; it must be a whole number from 1 to {max(POCOCK)}")
        return int(looks)

    @property
    def claims(self) -> dict[str, Any]:
        """The claims by their id."""
        return dict(self.reproduction.get("claims") or {})

    def reduced(self, claim: str) -> bool:
        """Whether a claim of the paper is tried on less than the paper had at `full` too: `reduced`, patterns of ids.

        Raises:
            UserError: a pattern fits no claim.
        """
        patterns = self.reproduction.get("reduced", [])
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.claims):
                raise unknown(f"claim of {self.name}, in `reduced`,", pattern, self.claims)
        return any(fnmatchcase(claim, pattern) for pattern in patterns)

    @cached_property
    def tolerances(self) -> dict[str, Tolerance]:
        """By how much numbers may differ when their run is trained again, by patterns of TABLE/METRIC.

        Raises:
            UserError: the file says what is no tolerance.
        """
        return read_all(self.name, self.reproduction.get("tolerance"))

    def tolerance(self, name: str) -> Tolerance:
        """That of a metric.

        Args:
            name: "runs/" and a column of runs.csv, "curves/" and SPLIT_METRIC, or "layers/" and a quantity.
        """
        return of_metric(self.tolerances, name)

    def scale(self, name: str) -> dict[str, Any]:
        """The settings of a scale; what it leaves out is taken from the experiment itself."""
        name = self.published_scale if name == "published" else name
        scales = self.reproduction.get("scales", {})
        if name not in scales:
            raise unknown(f"scale of {self.name}", name, [*scales, "published"])
        defaults = {"seeds": 1, "axes": {}, "overrides": {}, "stack": True, "variants": ["*"]}
        own = {k: v for k, v in self.reproduction.items() if k in ("seeds", "axes", "stack")}
        return defaults | own | dict(scales[name] or {})

    def jobs(self, scale: str, extra: Sequence[str] = ()) -> list[Job]:
        """Every run of the experiment at a scale: variants × axes × seeds, stacked seeds as one run.

        Args:
            extra: further overrides, which win over all others.

        Raises:
            UserError: an unknown scale or variant, or a variant without seeds.
        """
        chosen = self.scale(scale)
        jobs = []
        for name, swept in self._settings(chosen):
            words = [*self.variants[name], *(f"{k}={_word(v)}" for k, v in swept.items())]
            for pattern, more in chosen["overrides"].items():
                words += more if fnmatchcase(name, pattern) else []
            for first, count in self._blocks(chosen, name):
                # Seeds come first: a variant or scale may ask for more or fewer.
                own = [
                    f"experiment={self.name}",
                    f"variant={name}",
                    f"seed={first}",
                    f"replicas={count}",
                    *words,
                    *extra,
                ]
                jobs.append(Job(name, tuple(last_wins(own)), swept))
        return jobs

    def _settings(self, scale: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every variant with every combination of its axes' values; an axis may be that of some variants only."""
        for name in self._chosen(scale):
            axes = {axis: _of_variant(values, name) for axis, values in scale["axes"].items()}
            swept = {axis: values for axis, values in axes.items() if values is not None}
            for values in itertools.product(*swept.values()):
                yield name, dict(zip(swept, values, strict=True))

    def _blocks(self, scale: Mapping[str, Any], variant: str) -> list[tuple[int, int]]:
        """First seed and number of seeds of each run; `seeds` is their number, from 0 up, or a list in a row."""
        seeds = _of_variant(scale["seeds"], variant)
        chosen = [*range(seeds)] if isinstance(seeds, int) and not isinstance(seeds, bool) else seeds
        first = chosen[0] if isinstance(chosen, list) and chosen else None
        if not isinstance(first, int) or chosen != [*range(first, first + len(chosen))]:
            raise UserError(
                f"{self.name}: seeds of {variant} are {seeds!r}; give their number, 1 or more, a list in a row, say "
                "[6, 7, 8], or patterns of which one fits each variant"
            )
        return [(first, len(chosen))] if _of_variant(scale["stack"], variant) else [(seed, 1) for seed in chosen]

    def _chosen(self, scale: Mapping[str, Any]) -> list[str]:
        """The variants of a scale, by patterns of their names; all unless the scale says which."""
        patterns = scale["variants"]
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.variants):
                raise unknown(f"variant of {self.name}", pattern, self.variants)
        return [name for name in self.variants if any(fnmatchcase(name, pattern) for pattern in patterns)]

    @cached_property
    def default_procedure(self) -> str:
        """The procedure of variants that choose none."""
        entries = yaml_files.read(experiments_dir() / f"{self.name}.yaml").get("defaults", [])
        chosen = [entry["override /procedure"] for entry in entries if "override /procedure" in entry]
        return str(chosen[-1] if chosen else default_options()["procedure"])

    @cached_property
    def script(self) -> Path:
        """The script that draws the experiment's figures."""
        return experiments_dir() / f"{self.name}.py"


def _of_variant(setting: Any, variant: str) -> Any:
    """A variant's seeds, stacking or values of an axis: the same for all, or by the last pattern that fits its name.

    None where no pattern does.
    """
    if not isinstance(setting, Mapping):
        return setting
    fitting = [value for pattern, value in setting.items() if fnmatchcase(variant, pattern)]
    return fitting[-1] if fitting else None


def _word(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | list) or value is None else str(value)


def names() -> list[str]:
    """All experiments, "<paper>/<experiment>", sorted."""
    root = experiments_dir()
    return sorted(str(f.relative_to(root).with_suffix("")) for f in root.glob("*/*.yaml"))


def load(name: str) -> Experiment:
    """Read one experiment file.

    Raises:
        UserError: there is none of that name, it has no `reproduction` node, or one with a wrong tolerance.
    """
    if name not in names():
        raise unknown("experiment", name, names())
    path = experiments_dir() / f"{name}.yaml"
    node = yaml_files.read(path)
    if not isinstance(node, Mapping) or not isinstance(node.get("reproduction"), Mapping):
        raise UserError(f"{path} has no `reproduction:` node with variants, seeds, scales and claims")
    experiment = Experiment(name, dict(node["reproduction"]))
    _ = experiment.tolerances  # which refuses wrong ones now, not hours later
    return experiment


def select(what: str | None) -> list[Experiment]:
    """The experiments meant by PAPER, PAPER/EXPERIMENT or nothing (all of them)."""
    known = names()
    if not what:
        return [load(name) for name in known]
    chosen = [name for name in known if name == what or name.partition("/")[0] == what]
    if not chosen:
        if whole := [name for name in known if name.partition("/")[2] == what]:
            raise UserError(f"unknown paper or experiment {what!r}; did you mean {' or '.join(whole)}?")
        raise unknown("paper or experiment", what, [*known, *{name.partition("/")[0] for name in known}])
    return [load(name) for name in chosen]


def results_folder(results_dir: str | Path, experiment: Experiment, scale: str) -> Path:
    """Where an experiment's tables lie: those that are published, or one folder further down."""
    folder = Path(results_dir) / experiment.name
    return folder if scale in ("published", experiment.published_scale) else folder / scale


def with_variant(words: list[str]) -> list[str]:
    """Put the overrides of an experiment's variant before the user's own words.

    Without `variant=` the experiment's first variant is taken.
    """
    given = dict(w.split("=", 1) for w in words if "=" in w)
    if "experiment" not in given or given["experiment"] in ("null", ""):
        if "variant" in given:
            raise UserError("variant=... needs experiment=...; see: repro list experiment")
        return words
    experiment = load(given["experiment"])
    name = given.get("variant", next(iter(experiment.variants)))
    if "," in name and set(name.split(",")) <= set(experiment.variants):
        raise UserError(
            f"variant={name} names several and a command trains one; give one at a time, or train all "
            f"with: repro reproduce {experiment.name}"
        )
    if name not in experiment.variants:
        raise unknown(f"variant of {experiment.name}", name, experiment.variants)
    own = [f"experiment={experiment.name}", f"variant={name}", *experiment.variants[name]]
    place = next(i for i, w in enumerate(words) if w.startswith("experiment="))
    # In place of the word `experiment=...`, so that flags around it stay where Hydra looks for them.
    return last_wins([*words[:place], *own, *(w for w in words[place + 1 :] if not w.startswith("variant="))])


def refuse_ignored(words: Sequence[str]) -> None:
    """Refuse a setting of a group that the procedure of an experiment's variant does not take.

    Words of the experiment's file may be there for other variants of it, and are dropped for this one.

    Args:
        words: of one command, with the variant's and without short names.

    Raises:
        UserError: one of them, and no word of the file, would change nothing.
    """
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if given.get("experiment") in (None, "null", ""):
        return
    experiment = load(given["experiment"])
    procedure = given.get("procedure", experiment.default_procedure)
    takes = own_option("procedure", procedure).get("_takes_")
    if takes is None:
        return
    scales = [dict(scale or {}) for scale in experiment.reproduction.get("scales", {}).values()]
    swept = {key for one in [experiment.reproduction, *scales] for key in one.get("axes", {})}
    lists = [*experiment.variants.values(), *(some for one in scales for some in one.get("overrides", {}).values())]
    own = {str(word) for some in lists for word in some}
    for word in words:
        key = word.partition("=")[0].lstrip("+~")
        group = key.partition(".")[0]
        if word not in own and key not in swept and group in RUNS and group not in ("procedure", *takes):
            raise UserError(
                f"procedure={procedure} of {experiment.name} takes no {group}, so that {word} has no meaning; "
                "leave it out"
            )


def last_wins(words: Sequence[str]) -> list[str]:
    """Drop every `key=value` whose key comes again later; flags and their arguments stay."""
    last = {word.split("=", 1)[0]: i for i, word in enumerate(words)}
    return [w for i, w in enumerate(words) if "=" not in w or last[w.split("=", 1)[0]] == i]
