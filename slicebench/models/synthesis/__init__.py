"""Images that are made: decoders of embeddings and generators from captions."""
