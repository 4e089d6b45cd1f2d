"""nano-clip, the image–text encoder that ships with slicebench: code and checkpoints."""
