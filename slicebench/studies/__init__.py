"""Experiments that run many cells for a question of their own; none knows another.

`controls/` counts false alarms, `sweep/` moves one parameter, `interventions/` repairs the model, `captions/` and `sparse/` look
closely at one method or layer, `strength` tests a strength against chance.

Decisions
- Controls score blind: outcomes of the held-out part are permuted within class before scoring, and slices are tested on the true
  ones. Power is matched on twins, the same problems with permuted outcomes.
- An intervention gets what a method gets, and the method. Training is common to all arms, from the same seeds, and nothing of it
  is cached. `random` and `oracle` are arms like any other.
- Only the evaluator compares pool and test: pool examples that may be copies of test examples are taken away first.
- Generators see no truth, and the captions of one class share their chance under a seed.
"""
