"""What a net is made of: activations, layers, architectures, normalization, initialization, backward rules."""
