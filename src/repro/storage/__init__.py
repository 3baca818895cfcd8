"""Files of a run and of a study: tables, JSON, locks, events; and the statistics of what is in them. No torch."""
