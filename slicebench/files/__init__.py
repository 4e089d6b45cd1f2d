"""Paths, URLs, the cache, safe readers and atomic writes. Knows no word of slice discovery.

`locations` reads and writes local paths and URLs, `untrusted` opens files that anybody may have made, `atomic` makes files that
appear complete or not at all, and `cache` keeps what is expensive. `arrays`, `tables`, `toml_documents`, `json_models` and
`image_arrays` each read and write one kind of file.

Decisions
- Object stores are a matter of paths. Results, shelves and the cache may be URLs; an array that is mapped must lie in a local
  file, so problems are fetched whole, once per machine, and checked by digest.
- Images are decoded and resized once, and mapped into memory from disk.
- Nothing that is read back is pickled.
"""
