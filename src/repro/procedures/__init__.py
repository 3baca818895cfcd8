"""What a run does: each component takes a prepared run and returns the work to be done step by step."""
