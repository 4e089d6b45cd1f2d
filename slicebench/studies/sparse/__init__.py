"""What the few features of a sparse decision layer are, and what the layer does without them."""
