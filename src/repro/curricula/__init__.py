"""How the difficulty of generated data changes over a run."""
