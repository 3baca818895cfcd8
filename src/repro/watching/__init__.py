"""Diagnostics for any `torch.nn.Module` in anybody's training loop."""

from repro.watching.watch import Watch

watch = Watch
"""A net looked at while it trains: `with repro.watch(model) as watch: ...; watch.step(loss)`."""

__all__ = ["Watch", "watch"]
