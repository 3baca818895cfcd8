"""What a run can be besides training: each takes a run's learner and feed and fills the same tables."""
