"""Data sets: each module has a function that returns tensors in memory (`repro.datasets.data.Data`).

This file imports nothing, so that `repro.datasets.files` answers without torch.
"""
