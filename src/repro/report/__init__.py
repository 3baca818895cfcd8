"""Pages to look at: what is shown is gathered from tables and files here, and rendered by templates. No torch."""
