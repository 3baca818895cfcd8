"""Data sets: each module has a function that returns tensors in memory (`repro.datasets.protocol.Data`).

This file imports nothing, so that `repro.datasets.store.files` answers without torch.
"""
