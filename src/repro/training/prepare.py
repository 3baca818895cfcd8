"""From a run's settings to what its procedure works with. Data are read last, after everything else is checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from repro.bars import tracked
from repro.config.build import build, check_node, takes
from repro.config.groups import COMPONENTS, declares, flatten, given
from repro.config.run import Run
from repro.datasets.about import About
from repro.datasets.protocol import Dataset, Feed, Order
from repro.diagnostics.measure import single_classes, single_numbers
from repro.diagnostics.probe import Layer, call_order, layers_of
from repro.diagnostics.quantities import REGISTRY, WANTED
from repro.errors import UserError, unknown
from repro.model.activations import Nonlinearity
from repro.model.architectures.recurrence import call
from repro.model.backward import LinearAbove, at_depth, exact
from repro.model.initialization import initialize
from repro.model.layer_factory import LayerFactory
from repro.model.layers import Plain
from repro.model.normalization import none
from repro.model.trees import Tree, mapped
from repro.seeds import generator
from repro.training.cost import check_net, check_settings
from repro.training.forward import Execution, check_compiler
from repro.training.nets import architecture
from repro.training.replicas import Learner, learner
from repro.training.trial import explained, try_out


@dataclass(frozen=True)
class Components:
    """The components of a run that need no data; None where the run has none."""

    procedure: Any
    layer_factory: LayerFactory | None
    initialization: Any
    optimizer: Any
    schedule: Any
    task: Any
    annealing: Any
    curriculum: Any
    hessian: Any


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start.

    Attributes:
        run: its settings.
        device: where it computes.
        components: what needs no data.
        data: the data set; None where the procedure takes none.
        feed: its batches, likewise.
    """

    run: Run
    device: torch.device
    components: Components
    data: Any = None
    feed: Any = None

    @property
    def about(self) -> About | None:
        """What the data set's classes and columns are called, where somebody has named them."""
        found: About | None = getattr(self.data, "about", None)
        return found

    @property
    def notes(self) -> list[str]:
        """Lines on data and task that are to be read before anything is trained."""
        task = self.components.task
        return [*(self.about.notes if self.about else ()), *(task.notes if task is not None else ())]

    def learner(self) -> Learner:
        """The nets of the run's seeds, initialized.

        Raises:
            UserError: they cannot be built, or do not fit into memory.
        """
        try:
            blank = blank_inputs(self.feed)
            check_net(self.run, self.components, self.data, blank, self.device)
            nets = models(self.run, self.components, self.data, blank)
            order = call_order(nets[0], blank)
            self._check_outputs(nets[0], blank)
            made = learner(nets, self.run.seeds, self.components.task, self.device, execution(self.run), order)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error):
                raise
            raise UserError(
                "the net does not fit into memory; make architecture smaller or take fewer replicas"
            ) from error
        self._check_quantities(made.layers)
        return made

    def _check_quantities(self, layers: Sequence[Layer]) -> None:
        """Refuse a quantity that was asked for by name and that no layer of this net, or none of these data, has."""
        settings = self.run.settings
        if settings["diagnostics"] is None:
            return
        asked = any(word.startswith("diagnostics.quantities") for word in given("diagnostics", settings))
        if not asked or settings["choices"].get("experiment"):
            return  # what an option or an experiment lists is measured where it is
        there = {
            "beta": any(layer.beta for layer in layers),
            "p": any(layer.p for layer in layers),
            "knots": any(layer.knots for layer in layers),
            "through_time": any(layer.through_time for layer in layers),
            "noise": declares(settings, "activation", "draws_noise"),
            "classes": single_classes(self.feed.probe(2).y) is not None,
            "inputs": single_numbers(self.feed.probe(2).x) is not None,
        }
        for name in self.run.diagnostics.quantities:
            if not there.get(REGISTRY[name].reads, True):
                raise UserError(
                    f"diagnostics.quantities asks for {name}, which no layer of this net has; leave it out, or take "
                    "another activation, architecture or data set (docs/quantities.md says where it is)"
                )

    def _check_outputs(self, net: nn.Module, x: Tree) -> None:
        """Refuse a task that cannot measure what this net gives against what this data set wants."""
        chosen = [f"{group}={self.run.settings['choices'].get(group)}" for group in ("task", "architecture", "dataset")]
        training = net.training
        try:
            with torch.no_grad():
                output, _ = call(net.eval(), x)
                self.components.task.measure(output, mapped(lambda v: v.cpu(), self.feed.probe(2).y))
        except (RuntimeError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())
            if "memory" in reason:  # which is said by whoever asked for the net
                raise
            raise UserError(f"{', '.join(chosen)} do not go together ({reason}); see: repro list task") from error
        finally:
            net.train(training)


def prepare(run: Run) -> Prepared:
    """Build and read what a run works with; the one way in for whoever trains, measures or looks at it again.

    Raises:
        UserError: a component, the device or the data are not what they should be.
    """
    check_targets(run)
    check_settings(run)
    device = device_of(run.settings["device"])
    parts = components(run)
    if run.settings["dataset"] is None:
        return Prepared(run, device, parts)
    try:
        data, feed = read_data(run, parts, device)
    except MemoryError as error:
        sizes = flatten(run.settings["dataset"], "dataset.")
        large = {key: v for key, v in sizes.items() if type(v) is int and v > 1000 and not key.endswith("seed")}
        given = ", ".join(f"{key}={v}" for key, v in large.items()) or "these data"
        raise UserError(f"{given} and what is made of it does not fit into memory ({error}); take less") from error
    if parts.task is not None:
        parts = replace(parts, task=parts.task.suited(getattr(data, "about", None)))
    return Prepared(run, device, parts, data, feed)


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA where it is to be had.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps", "xpu"):
            raise RuntimeError("nothing can be trained there")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        have = ", ".join(["auto", "cpu", *(["cuda"] if torch.cuda.is_available() else [])])
        raise UserError(f"device={name} is not available on this machine; available: {have}") from error
    return device


def check_targets(run: Run) -> None:
    """Check targets, names and types of every component, building nothing; done even for a run that is finished."""
    for group in COMPONENTS:
        if run.settings[group] is not None:
            check_node(run.settings[group], group, run.settings["trusted"])
    for name in run.diagnostics.quantities:
        if name not in WANTED:
            raise unknown("quantity in diagnostics.quantities", name, WANTED)


def components(run: Run) -> Components:
    """Build everything that needs no data, before any data are read; `check_targets` came first."""
    settings, trusted = run.settings, run.settings["trusted"]

    def part(group: str) -> Any:
        return None if settings[group] is None else build(settings[group], group, trusted)

    factory = None
    if settings["activation"] is not None:
        factory = LayerFactory(
            part("activation"), part("backward") or exact, part("normalization") or none, part("weight")
        )
    built = Components(
        part("procedure"),
        factory,
        part("initialization"),
        part("optimizer"),
        part("schedule"),
        part("task"),
        part("annealing"),
        part("curriculum"),
        part("hessian"),
    )
    try_out(built.schedule, built.optimizer, built.layer_factory, built.initialization)
    if run.trainer.compile:
        check_compiler(device_of(run.settings["device"]))
    return built


def execution(run: Run) -> Execution:
    """In which arithmetic and layout the net is run."""
    return Execution(run.trainer.precision, bool(run.trainer.channels_last), bool(run.trainer.compile))


def read_data(run: Run, parts: Components, device: torch.device) -> tuple[Dataset, Feed]:
    """Read the data set and check that it suits the task."""
    node = run.settings["dataset"]
    wanted = {"targets": parts.task.targets} if parts.task is not None and takes(node, "targets") else {}
    data: Dataset = build(node, "dataset", run.settings["trusted"], **wanted)
    trainer = run.trainer
    order = Order(
        run.seeds, trainer.batch_size, device, trainer.steps, trainer.epochs, parts.curriculum, execution(run).dtype
    )
    feed = data.feed(order)
    probe = feed.probe(2)
    if parts.task is not None:
        parts.task.check(probe.y, data.name)
    if len(probe) < 2 and declares(run.settings, "normalization", "by_batch"):
        raise UserError("normalization=batch needs 2 or more training samples")
    return data, feed


def models(run: Run, parts: Components, data: Dataset, x: Tree = None) -> list[nn.Module]:
    """One network a seed, initialized from that seed alone; inputs `x` show in which order layers are called."""
    return list(_models(run, parts, data, x))


def _models(run: Run, parts: Components, data: Dataset, x: Tree) -> Iterator[nn.Module]:
    order: list[str] | None = None
    node, outputs = run.settings["architecture"], parts.task.outputs(data.outputs)
    for seed in tracked(run.seeds, "building", "net"):
        module = architecture(node, run.settings["trusted"], parts.layer_factory, data.shape, outputs, data.tokens)
        assert parts.layer_factory is not None
        if "activation" not in parts.layer_factory.asked_for and (word := next(given("activation", run.settings), "")):
            raise UserError(
                f"this architecture has no place for an activation, so that {word} has no meaning; leave it out"
            )
        if parts.layer_factory.normalizes_output and "output" not in parts.layer_factory.asked_for:
            raise UserError(
                "weight.normalize_output is for architecture=mlp, cnn, vgg and resnet, whose output layer is made "
                "with it; leave it out"
            )
        order = call_order(module, x) if order is None and x is not None else order
        settle(module, parts.layer_factory, order)
        with explained("initialization"):
            initialize(module, parts.initialization, generator(seed, "initialization"))
        yield module


def blank_inputs(feed: Feed) -> Tree:
    """Inputs as a run's net takes them, all zero, for a pass that only shows in which order layers are called."""

    def zeros(v: Tensor) -> Tensor:
        return torch.zeros(v.shape, dtype=torch.get_default_dtype() if v.is_floating_point() else v.dtype)

    return mapped(zeros, feed.probe(2).x)


def settle(module: nn.Module, factory: LayerFactory, order: Sequence[str] | None = None) -> None:
    """Give every nonlinearity the rule of its depth; an architecture must have got its layers from the make.

    Depths are by the order of the layers' names, or where there is none, as the net holds them.
    """
    for part in module.modules():
        if type(part) in (nn.Linear, nn.Conv2d) and not isinstance(factory.weights, Plain):
            raise UserError(
                f"this architecture makes a {type(part).__name__} by itself, which weight=binary and "
                "backward=feedback_alignment cannot replace; leave them out"
            )
    layers = layers_of(module, order)
    depths = {layer.nonlinearity: layer.depth for layer in layers}
    deepest = max((layer.depth for layer in layers), default=0)
    nonlinearities = [(depths.get(n, deepest), m) for n, m in module.named_modules() if isinstance(m, Nonlinearity)]
    last = max((depth for depth, nonlinearity in nonlinearities if nonlinearity.rule is factory.rule), default=0)
    if isinstance(factory.rule, LinearAbove) and factory.rule.depth >= last:
        raise UserError(
            f"backward.depth={factory.rule.depth} leaves no activation above it to be linear; "
            f"the deepest one of this net is at {last}"
        )
    for depth, nonlinearity in nonlinearities:
        nonlinearity.rule = at_depth(nonlinearity.rule, depth)
