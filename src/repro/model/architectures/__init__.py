"""Networks. Each takes the input shape, the number of outputs and a `LayerFactory`; any activation fits into any."""
