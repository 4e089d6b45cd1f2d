"""Build problems from raw data with a plant, and freeze, cache and share them.

`raw` is what an adapter reads and plants. `building` trains the base model and embeds, `frozen` saves and
loads, `cache` builds what is missing. `files_read` says from which files. `shelf` holds frozen problems from
elsewhere; `remote` and `archive` move them.

Decisions
- Reading and planting are separate from training and embedding, so the same plant works on any
  other data.
- The content of the files that a problem reads is part of its identity. A path alone would give the
  results of one file to another that has replaced it. Problems without files have the identity that
  they had before there were fingerprints, so their caches and records stay valid.
- Files that the planning machine does not have may be on the workers, or a frozen problem stands in
  for them. Such a problem is `unseen`: nothing is taken from the cache unless it is of the same files.
- A frozen problem is JSON, safetensors and Parquet. Its folder appears complete or not at all, so
  builders need no lock.
- Frozen arrays are mapped, not read, so that workers of one machine share them. Large embeddings are
  therefore kept in full precision.
"""
