"""`repro reproduce`: train what an experiment lacks, then collect, judge and draw."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from hydra.core.config_store import ConfigStore

from repro.bars import tracked
from repro.config.quoting import quoted
from repro.errors import UserError
from repro.storage.locks import locked
from repro.study.experiment import select
from repro.study.judging import judge
from repro.study.publish import Plan, gather, illustrate, plan, tabulate, update_page
from repro.study.verify import Wanted
from repro.text import tables
from repro.verbs.sweep import sweep
from repro.verbs.verification import flags, verify

HELP = """\
usage: repro reproduce [PAPER[/EXPERIMENT]] [scale=smoke|quick|full|published] [KEY=VALUE] ...
       repro reproduce --verify [PAPER[/EXPERIMENT]] [--runs K] [--seed S] [--longest SECONDS] [--tolerance SHARE]

Train the runs of an experiment that are missing, stale or failed, collect all of them into tables, judge its claims
and draw its figures. Finished runs are kept; an interrupted one resumes. Without a name: every experiment.

  scale=quick      minutes on two cores (the default); smoke: seconds; full: the paper's own size
                   (verdicts are given at full and at the published scale, numbers at any)
  scale=published  the scale of the tables that are published here, which each experiment's file names, as it may
                   name scales of its own
  KEY=VALUE        any setting of `repro train`; changed settings go to a folder `custom` of their own
  force=true       train everything anew
  train=false      train nothing: collect, judge and draw the runs that are there, say while others still train

With --verify it changes nothing: a few runs of the tables that are there are trained again in a temporary folder, and
all numbers of runs.csv, the curves and the layers, but for what a clock says, are compared with the tables.
The exit status is 1 where one differs by more than it may, or a table cannot be made again. scale=published is the
default. On the same kind of processor, with the same versions and number of threads, all digits are the same; elsewhere
they are rounded otherwise from the first step on, and steps let that grow: by how much is in each experiment's file.
Where no digit is left, numbers are held to what the seeds of the same settings differ by; one line names these metrics.

  --runs K             how many runs of each experiment, drawn at random: 3 by default
  --seed S             of the draw: 0 by default
  --longest SECONDS    leave out runs that took longer than that
  --tolerance SHARE    by which a number may differ, below 1, instead of what each experiment's file says (or else 1e-6)

examples:
  repro reproduce training_deep_networks/initialization
  repro reproduce training_deep_networks/initialization scale=smoke
  repro reproduce training_deep_networks scale=published
  repro reproduce training_deep_networks/depth_and_activation hydra/launcher=joblib hydra.launcher.n_jobs=2
  repro reproduce --verify training_deep_networks/initialization
  repro reproduce --verify --runs 1 --longest 60
"""


OWN = ("scale", "train", "force", "results_dir")  # settings of this verb that no run has, or not alone


def main(words: Sequence[str]) -> int:
    """Run `repro reproduce`; 1 when a run failed."""
    if "-h" in words or "--help" in words:
        print(HELP)
        return 0
    asked, words = flags(words)
    names = [w for w in words if "=" not in w]
    if len(names) > 1:
        raise UserError(f"one paper or experiment at a time, not {' '.join(names)}; see: repro reproduce --help")
    given = dict(w.split("=", 1) for w in words if "=" in w)
    for key in given:
        if key not in OWN and (near := get_close_matches(key, OWN, n=1, cutoff=0.75)):
            raise UserError(f"unknown setting {key!r}; did you mean {near[0]}?")
    for key in given.keys() & {"variant", "experiment"}:
        raise UserError(f"{key}=... is for repro train; repro reproduce trains what a scale lists, see its YAML file")
    scale = given.pop("scale", "published" if asked.verify else "quick")
    results_dir = given.pop("results_dir", "results")
    if asked.verify and (no := [k for k in given if k in OWN or _launches(k)]):
        raise UserError(
            f"{no[0]}=... is for training what lacks; repro reproduce --verify trains a few runs anew, here"
        )
    training, force = _switch("train", given.pop("train", "true")), _switch("force", given.get("force", "false"))
    if force and not training:
        raise UserError("force=true trains everything and train=false nothing; give one of them")
    launching = [f"{k}={v}" for k, v in given.items() if _launches(k)]
    extra = quoted([word for k, v in given.items() if (word := f"{k}={v}") not in launching])
    chosen = select(names[0] if names else None)
    if asked.verify:
        limits = (asked.runs, asked.seed, asked.longest, asked.tolerance)
        return verify(chosen, Wanted(scale, results_dir, extra, *limits))
    plans = [plan(e, scale, results_dir, extra) for e in tracked(chosen, "looking", "experiment")]
    if not training:
        return max([_collect(p) for p in plans], default=0)
    return max([reproduce(p, launching, results_dir, force) for p in plans], default=0)


def _launches(key: str) -> bool:
    return key.lstrip("+~").startswith(("hydra/", "hydra."))


def _switch(name: str, word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise UserError(f"{name}={word}: allowed are true and false")
    return word.lower() == "true"


def _collect(plan: Plan) -> int:
    """Publish the runs that are there and train none; 1 when none is."""
    there = int(plan.status()["status"].isin(["done", "diverged"]).sum())
    what = f"{plan.experiment.name} at scale {plan.scale}: {there} of {len(plan.jobs)} runs there"
    print(f"{what}, {'none trained now' if there else 'so nothing to collect; leave out train=false to train them'}")
    if not there:
        return 1
    publish(plan)
    return 0


def reproduce(plan: Plan, launching: Sequence[str], results_dir: str, force: bool) -> int:
    """Bring one experiment up to date and print its ledger."""
    before = plan.status()
    done = set() if force else set(before[before["status"].isin(["done", "diverged"])]["run"])
    todo = [run for run in plan.jobs if run not in done]
    print(
        f"{plan.experiment.name} at scale {plan.scale}: {len(plan.jobs) - len(todo)} of {len(plan.jobs)} runs there, "
        f"{len(todo)} to train",
        flush=True,
    )
    failed = _train([plan.jobs[run].overrides for run in todo], launching, results_dir) if todo else 0
    publish(plan)
    return failed


def publish(plan: Plan) -> None:
    """Collect an experiment's runs, judge, draw, and print the ledger."""
    with locked(plan.folder):
        gather(plan)
        claims = judge(plan.experiment, plan.folder)
        figures = illustrate(plan.experiment, plan.folder)
        tabulate(plan.experiment, plan.folder)
        update_page(plan.experiment, plan.folder)
    print(tables.table(tables.ledger(claims), "text"))
    if not plan.experiment.judged_at(plan.scale):
        scales = " or ".join(f"scale={name}" for name in plan.experiment.judged_scales)
        print(f"scale {plan.scale} gives numbers, not verdicts: claims are judged at {scales}")
    print(f"tables and {len(figures)} figure files: {plan.folder}")


def _train(jobs: Sequence[Sequence[str]], launching: Sequence[str], results_dir: str) -> int:
    """Hand the jobs to Hydra's launcher by way of the sweeper in `hydra_plugins`."""
    ConfigStore.instance().store(name="reproduction", group="hydra/sweeper", node=sweeper(jobs))
    return sweep(["-m", *quoted(["hydra/sweeper=reproduction", *launching, f"results_dir={results_dir}"])])


def sweeper(jobs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The node that makes Hydra launch these jobs."""
    return {
        "_target_": "hydra_plugins.repro_plugin.sweeper.ReproductionSweeper",
        # Hydra resolves this node more than once: a plain ${seed} would become the sweep's instead of the job's.
        "jobs": [[word.replace("%", "%25").replace("$", "%24") for word in job] for job in jobs],
    }
