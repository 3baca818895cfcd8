"""Figures of linear backprop where the nets learn CIFAR-10; those of the smaller study, from this one's tables."""

from repro.experiments.linear_backprop.cifar10 import figures

__all__ = ["figures"]
