"""Speed bars, measured on the machine at hand: `make benchmark`, or `python -m benchmarks` from the clone's root.

Bars are ratios measured in one process in turns, so that a busy or slow machine moves both sides alike. No test
asserts them.
"""
