"""Evaluate a cell: run a method without the truth, measure its results, and write the record.

`cell` fits, scores and measures; `record` is the stored outcome; `slices`, `captions` and `hardest` measure what a method
returns; `cost` its seconds and bytes. `submissions/` measures what other tools found.

Decisions
- In a run the truth is loaded only after the method has scored. The only exception is the method registered as `oracle`.
- Every method has a default for captions, so every record of a problem with captions has hits and chance.
"""
