"""Study a sparse decision layer: its few features, and its answers without them."""
