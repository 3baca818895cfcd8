"""Tables: append and read them, collect them from runs, judge claims, print them. Imports no torch."""
