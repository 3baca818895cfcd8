"""What a claim may say, which values it looks at, and how it is judged. No torch."""
