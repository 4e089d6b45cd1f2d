"""Paths, URLs, the cache, safe readers and atomic writes.

Nothing here is specific to slice discovery. `locations` reads and writes local paths and URLs.
`untrusted` opens files of unknown origin. `atomic` writes files that appear complete or not at all.
`cache` keeps expensive results. `arrays`, `tables`, `toml_documents`, `json_models` and
`image_arrays` each read and write one kind of file.

Decisions
- Object stores are reached through paths: results, shelves and the cache may be URLs. A mapped
  array must be a local file, so problems are fetched whole, once per machine, and checked by digest.
- Images are decoded and resized once, and mapped into memory from disk.
- No pickle is ever read.
"""
