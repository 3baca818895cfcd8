"""Pages to look at, rendered by templates from what `repro.study.gather` found. No torch."""
