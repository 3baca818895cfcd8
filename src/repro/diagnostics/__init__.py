"""What is measured in a model, and when. Nothing here knows how it is drawn or how it is trained."""
