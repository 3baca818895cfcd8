"""A slow twin of the layers' measurements: sample by sample, with nothing but autograd, loops and numpy."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from repro.model.activations import Nonlinearity
from twins import collected

BINS = 5


class Twin:
    """One net, measured sample by sample with nothing but autograd, loops and numpy."""

    def __init__(self, module: nn.Module, x: Tensor, y: Tensor, together: bool = False) -> None:
        self.module, self.x, self.y = module, x, y
        self.pre: dict[str, list[Tensor]] = {}
        self.out: dict[str, list[Tensor]] = {}
        self.slopes: dict[str, list[Tensor]] = {}
        self.weight_gradients: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self.biases: dict[str, Tensor] = {}
        self.single: dict[str, list[bool]] = {}
        module.train()
        # With batch norm the samples cannot be told apart: all of them go through at once.
        batches = [x] if together else [x[i : i + 1] for i in range(len(x))]
        targets = [y] if together else [y[i : i + 1] for i in range(len(y))]
        for batch, target in zip(batches, targets, strict=True):
            self._one(batch, target, share=len(batch) / len(x))

    def _one(self, x: Tensor, y: Tensor, share: float) -> None:
        pres: dict[str, Tensor] = {}

        def note(name: str) -> Callable[..., None]:
            def hook(nonlinearity: Nonlinearity, args: tuple[Tensor], out: Tensor) -> None:
                args[0].retain_grad()
                pres[name] = args[0]
                self.out.setdefault(name, []).extend(out.detach())
                step = 1e-6
                slope = (nonlinearity.function(args[0] + step) - nonlinearity.function(args[0] - step)) / (2 * step)
                self.slopes.setdefault(name, []).extend(slope.detach())

            return hook

        handles = [
            m.register_forward_hook(note(name.rpartition(".")[0]))
            for name, m in self.module.named_modules()
            if isinstance(m, Nonlinearity)
        ]
        inputs: dict[nn.Module, Tensor] = {}
        handles += [
            m.register_forward_hook(lambda m, args, _: inputs.update({m: args[0]}))
            for m in self.module.modules()
            if isinstance(m, nn.Linear)
        ]
        self.module.zero_grad()
        loss = functional.cross_entropy(self.module(x), y)
        loss.backward()
        for handle in handles:
            handle.remove()
        for name, a in pres.items():
            # The gradient of the sample's own loss; of B times the mean loss where they go together.
            self.pre.setdefault(name, []).extend(a.grad * len(x))
        for name, m in self.module.named_modules():
            if isinstance(m, nn.Linear | nn.Conv2d):
                layer = name.rpartition(".")[0] or name
                self.weight_gradients[layer] = self.weight_gradients.get(layer, 0) + share * m.weight.grad.clone()
                self.weights[layer] = m.weight
                self.biases |= {} if m.bias is None else {layer: m.bias}
            if isinstance(m, nn.Linear):
                # Each sample's own gradient, unit by unit; where samples go together, from what comes in.
                rows = [m.weight.grad] if len(x) == 1 else inputs[m].unsqueeze(1)
                self.single.setdefault(layer, []).extend(
                    all(not (min(row) < 0 < max(row)) for row in sample.tolist()) for sample in rows
                )

    def quantities(self) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for layer, outs in self.out.items():
            values = np.array([v for out in outs for v in out.flatten().tolist()])
            mean = sum(values) / len(values)
            found[layer, "activation_mean"] = mean
            found[layer, "activation_std"] = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
            slopes = [s for slope in self.slopes[layer] for s in slope.flatten().tolist()]
            found[layer, "saturated_share"] = sum(abs(s) < 0.02 for s in slopes) / len(slopes)
            units = range(outs[0].shape[0])
            found[layer, "dead_share"] = sum(all((out[u] == 0).all() for out in outs) for u in units) / len(units)
            norms = [math.sqrt(sum(g**2 for g in gradient.flatten().tolist())) for gradient in self.pre[layer]]
            found[layer, "gradient_norm"] = sum(norms) / len(norms)
            total = sum(self.pre[layer][1:], self.pre[layer][0])
            found[layer, "mean_gradient_norm"] = math.sqrt(sum((g / len(norms)) ** 2 for g in total.flatten().tolist()))
            for name, slow in collected("QUANTITIES").items():
                found[layer, name] = slow([out.numpy() for out in outs])
            for name, slow in collected("OF_SAMPLES").items():
                found[layer, name] = slow([out.numpy() for out in outs], list(self.x.numpy()), self.y.tolist())
            counts, edges = np.histogram(values, bins=BINS, range=(values.min(), values.max()))
            found[layer, "histogram_low"], found[layer, "histogram_high"] = edges[0], edges[-1]
            for i, count in enumerate(counts):
                found[layer, f"histogram_share_{i:02d}"] = count / len(values)
        for layer, gradient in self.weight_gradients.items():
            found[layer, "weight_gradient_norm"] = math.sqrt(sum(g**2 for g in gradient.flatten().tolist()))
        for layer, weight in self.weights.items():
            entries = weight.flatten().tolist()
            found[layer, "weight_norm"] = math.sqrt(sum(w**2 for w in entries))
            found |= {(layer, f"weight_entry_{i:03d}"): w for i, w in enumerate(entries)}
        for layer, bias in self.biases.items():
            found |= {(layer, f"bias_entry_{i:03d}"): b for i, b in enumerate(bias.tolist())}
        for name, m in self.module.named_modules():
            if isinstance(m, Nonlinearity) and isinstance(getattr(m.function, "beta", None), nn.Parameter):
                layer, betas = name.rpartition(".")[0], m.function.beta.tolist()
                mean = sum(betas) / len(betas)
                found[layer, "beta_mean"], found[layer, "beta_min"], found[layer, "beta_max"] = (
                    mean,
                    min(betas),
                    max(betas),
                )
                found[layer, "beta_std"] = math.sqrt(sum((b - mean) ** 2 for b in betas) / len(betas))
                found |= {(layer, f"beta_{i:03d}"): b for i, b in enumerate(betas)}
        for layer, single in self.single.items():
            found[layer, "single_sign_share"] = sum(single) / len(single)
        for name, slow in collected("OF_SAMPLES").items():
            found["input", name] = slow(list(self.x.numpy()), list(self.x.numpy()), self.y.tolist())
        hidden = list(self.out)
        norms = [found[layer, "gradient_norm"] for layer in (hidden[0], hidden[-1])]
        found["model", "vanishing_ratio"] = norms[0] / norms[1]
        return found
