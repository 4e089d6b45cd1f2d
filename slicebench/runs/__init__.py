"""Many cells: a suite, its plan, the workers, and the run folder.

`suite` reads the TOML file, `plan` makes cells of it, and `runner` runs the missing ones. `tasks` holds the
work of a worker process; `workers` and `dask_client` are the engines. `store` is the run folder, `outcomes`
its results as other packages read them.

Decisions
- The path of a record is its identity. To resume is to look whether the file is there. The parent process writes records,
  atomically, scores first.
- Failures are recorded and run again next time. They stop no other cell and never drop out of a table.
- An engine is anything shaped like `concurrent.futures.Executor`. Dask workers run cells in child processes of their own, so
  limits and crashes mean the same everywhere.
- The client counts deaths, not Dask, which blames a lost worker on every task that waited for it.
- Engines hold four cells per worker, because both engines look at all that they hold.
"""
