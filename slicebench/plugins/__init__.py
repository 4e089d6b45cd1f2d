"""Plugin contracts, and the code that finds, checks and loads plugins.

`method` and `dataset` are the contracts. `registry` finds plugins by their entry points, `allowed`
decides which distributions' plugins are loaded, and `scaffold/` writes a package for a new plugin.
`dataset_card` describes local data, and `dataset_status` reports which of them are present.

Decisions
- Plugins are the only code that is loaded, and `$SLICEBENCH_PLUGINS` decides which. A broken plugin
  is listed with its error and stops nothing else. A name cannot be registered twice.
- Built-in methods and datasets register in the same way as all others.
- Data are never downloaded. A card names the file layouts that an adapter reads, says what is
  missing, and how to get it.
"""
