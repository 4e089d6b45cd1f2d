"""Study a sparse decision layer: its few features, and its accuracy without them."""
