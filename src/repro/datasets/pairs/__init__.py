"""Pairs of sentences in two languages: what translation learns from."""
