"""Figures from tables: building blocks, a run's overview, an experiment's figures. Imports no torch."""
