"""Experiments beyond the benchmark, each with its own question; none imports another.

`controls/` counts false alarms, `sweep/` varies one parameter, and `interventions/` repairs the model.
`captions/` and `sparse/` inspect one method or layer, and `strength` tests a strength against chance.

Decisions
- Controls score blind: outcomes of the held-out part are permuted within class before scoring, and slices are tested on the true
  ones. Power is matched on twins, the same problems with permuted outcomes.
- An intervention gets what a method gets, and the fitted method. All arms train in the same way, from the same seeds,
  and no training is cached. `random` and `oracle` are arms like any other.
- Only the evaluator compares pool and test: it first removes pool examples that may be copies of test examples.
- Generators see no truth. Under one seed, all captions of a class use the same random draws.
"""
