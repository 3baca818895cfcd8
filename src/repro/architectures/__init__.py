"""Networks. Each takes the input shape, the number of outputs and a `Kit`, and any activation fits into any of them."""
