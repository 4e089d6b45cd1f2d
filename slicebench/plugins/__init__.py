"""The plugin contracts, and how plugins are found, checked and started.

`method` and `dataset` are the contracts, `registry` finds plugins by their entry points, `allowed` says whose are loaded, and
`scaffold/` writes a package for a new one. `dataset_card` describes local data and `dataset_status` what is there of them.

Decisions
- Plugins are the only code that is loaded, and `$SLICEBENCH_PLUGINS` says whose. A broken plugin is listed with its error and
  stops nothing else. A name cannot be registered twice.
- Built-in methods and datasets register like anybody else's.
- Data are never downloaded: a card names the file layouts that an adapter reads, and says what is missing and how to get it.
"""
