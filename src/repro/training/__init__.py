"""The loop and what it stands on. `repro.training.run.train` is the way in."""
