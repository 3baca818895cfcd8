"""Images with captions: what a net learns to describe images from."""
