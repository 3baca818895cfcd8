"""Tables and runs in words, for a terminal and for Markdown. No torch."""
