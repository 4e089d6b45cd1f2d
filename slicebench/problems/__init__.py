"""Build problems from raw data with a plant, and freeze, cache and share them.

`raw` is what an adapter reads and plants. `building` trains the base model and embeds, `frozen` saves and
loads, `cache` builds what is missing. `shelf` holds frozen problems from elsewhere; `remote` and `archive`
move them.

Decisions
- Reading and planting are separate from training and embedding, so the same plant works on any
  other data.
- A frozen problem is JSON, safetensors and Parquet. Its folder appears complete or not at all, so
  builders need no lock.
- Frozen arrays are mapped, not read, so that workers of one machine share them. Large embeddings are
  therefore kept in full precision.
"""
