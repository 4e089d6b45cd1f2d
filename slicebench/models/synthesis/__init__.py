"""Make images: decoders from embeddings, and generators from captions."""
