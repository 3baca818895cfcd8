"""The square."""

ACTIVATIONS = {"square": lambda x: x * x}
