"""Hydra finds its plugins in this namespace: the user's own `conf/`, and the sweepers behind
`repro reproduce` and searches."""
