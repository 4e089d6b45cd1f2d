"""Keep a method in a process of its own, which cannot read the truth, and trust nothing that comes back.

`fork_server` forks the processes of a run, `forked` is how others see them, and `processes` ends what they leave behind.
`companion` is the process that a method runs in; `permissions` says what it may read and write, and `landlock` has the
kernel enforce that. `crossing` is what comes back. `decoys` lie where a method would look for the truth.

Decisions
- A companion is forked from a holder, which has read what methods may see of a problem, once for all of its cells.
  The holder knows nothing else of it: neither truth nor name, seed, parameters or place.
- The process that measures never imports a method. It reads plain arrays and JSON from the companion, and checks all of it again.
"""
