"""`repro train`: one run, or with -m a sweep over many."""

from collections.abc import Sequence

from omegaconf import DictConfig

from repro.config.compose import ERRORS, explain
from repro.errors import UserError
from repro.verbs.hydra_run import job, run_hydra

HELP = """\
usage: repro train [-m] [GROUP=OPTION] [KEY=VALUE] ...

Train one net, or sweep over many with -m. It ends with what came out, and what is wrong in the net's layers.
A finished run is skipped (force=true trains it anew); an interrupted one resumes.

  GROUP=OPTION     another data set, architecture, activation ...:  repro list
  KEY=VALUE        another setting:                                 repro train --cfg job
  -m, --multirun   every combination of values given as a,b,c or range(n)
  --cfg job        print the composed configuration and train nothing
  any other flag of Hydra 1.3 works as well

examples:
  repro train activation=noisy_tanh
  repro train dataset=mnist architecture.depth=20 initialization=he activation=relu trainer.epochs=5
  repro train backward=linear activation=sigmoid normalization=batch replicas=5
  repro train -m activation=tanh,noisy_tanh initialization=xavier,he 'seed=range(3)'
  repro train -m activation=tanh,relu hydra/launcher=joblib hydra.launcher.n_jobs=2
  repro train -m hydra/sweeper=optuna 'optimizer.lr=tag(log,interval(0.001,1))' activation=tanh,relu
  repro train experiment=training_deep_networks/initialization variant=tanh_large
  repro train dataset=table dataset.path=my.csv dataset.target=species
"""


def main(words: Sequence[str]) -> int:
    """Run `repro train`."""
    if "-h" in words or "--help" in words:
        print(HELP)
        return 0
    from repro.config.quoting import quoted
    from repro.config.short_keys import spelled_out

    plain = quoted(words)
    if any(word.startswith(("experiment=", "variant=")) for word in plain):
        from repro.study.experiment import refuse_ignored, with_variant

        expanded = spelled_out(with_variant(plain))
        refuse_ignored(expanded)
    else:
        expanded = spelled_out(plain)
    if "-m" not in words and "--multirun" not in words:
        single(expanded)
        return 0
    from repro.verbs.sweep import sweep

    return sweep(expanded, compare=True)


def single(words: Sequence[str]) -> None:
    """Run one configuration in this process."""
    mistakes: list[UserError | BrokenPipeError] = []

    def task(cfg: DictConfig) -> float | None:
        # Hydra announces whatever a job raises; a user's mistake is reported in one line, by `repro.cli.main`.
        try:
            return job(cfg)
        except (UserError, BrokenPipeError) as mistake:  # the latter from `repro train | head`, when all is trained
            mistakes.append(mistake)
        except ERRORS as error:  # a value that refers to another one is looked up only here
            mistakes.append(explain(error, words))
        return None

    run_hydra(task, words)
    if mistakes:
        raise mistakes[0]
