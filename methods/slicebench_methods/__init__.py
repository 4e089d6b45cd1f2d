"""The methods that ship with slicebench, one per file; each registers by an entry point, as a stranger's would.

What several share stands in files that begin with an underscore.

Decisions
- Kernels are matrix products over everything at once: classes, regularisation and folds (`_squared_hinge`), starts and classes
  (`_spotlight`), embeddings and their squares (`_mixture`). They use float32 where parity with the authors' arrays holds in it.
  tests/bench/cases.py has each beside its reference.
- Where a paper leaves it open which slices to return, val must bear them out: `_supported` asks for the support, effect and
  Fisher test with which the controls judge a slice. Where there is nothing, the usual answer is no slice.
- Packages that are hard to install are adapters. `cleanlab` and `sliceline` are extras; `domino` pins a scikit-learn without a
  build for Python 3.11, so `domino_reference` declines with the command that installs it.
"""
