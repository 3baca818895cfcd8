"""Where files of data lie, what they must be, and where they come from. No torch."""
