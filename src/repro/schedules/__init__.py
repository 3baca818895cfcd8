"""What changes over a run: the learning rate, the noise, the difficulty of the data."""
