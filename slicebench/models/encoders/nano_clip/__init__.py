"""nano-clip: the image–text encoder that ships, its checkpoints and what loads them."""
