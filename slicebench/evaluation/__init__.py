"""One cell: a method on a problem without the truth, then the measures, then the record.

`cell` fits, scores and measures; `record` is the stored outcome; `slices`, `captions` and `hardest` measure what a method
returns; `cost` its seconds and bytes. `submissions/` measures what other tools found.

Decisions
- In a run the truth is not loaded until the method has scored. The method registered as `oracle` is the exception, by name.
- Every method has a default for captions, so every record of a problem with captions has hits and chance.
"""
