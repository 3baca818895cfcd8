"""Hydra finds its plugins in this namespace: the user's own `conf/`, and the sweeper behind `repro reproduce`."""
