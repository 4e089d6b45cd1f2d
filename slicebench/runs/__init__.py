"""Run many cells: a suite, its plan, the workers, and the run folder.

`suite` reads the TOML file, `plan` makes cells of it, and `runner` runs the missing ones. `tasks` holds the
work of a worker process; `workers` and `dask_client` are the engines. `asking` has plugins describe themselves.
`store` is the run folder, `outcomes` its results as other packages read them.

Decisions
- The path of a record is its identity, so a run resumes by checking which files exist. Only the parent process writes
  records: atomically, and after the scores.
- Code of other people's methods runs in companions only (`slicebench.evaluation.isolation`): this package asks them what
  it must know, and never imports them into the parent process.
- Failures are recorded and run again next time. They stop no other cell, and tables always show them.
- An engine has the interface of `concurrent.futures.Executor`. Dask workers run cells in their own child processes, so
  limits and crashes have the same effect everywhere.
- The client counts lost workers itself, because Dask counts them also for tasks that only waited for the worker.
- Engines hold four cells per worker, because the time of both engines grows with the number of cells they hold.
"""
