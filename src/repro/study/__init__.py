"""An experiment from its file to what is published: runs, tables, verdicts, figures, page. No torch."""
