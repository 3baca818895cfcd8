"""One module a verb, each with `main(words) -> exit status`, imported only when its verb is used."""
