"""Methods that ship with slicebench, one per file; each registers by an entry point, like any plugin.

Files that begin with an underscore hold code that several methods share.

Decisions
- Kernels are matrix products over everything at once: classes, regularisation and folds (`_squared_hinge`), starts and classes
  (`_spotlight`), embeddings and their squares (`_mixture`). They use float32 where parity with the authors' arrays holds in it.
  tests/bench/cases.py has each beside its reference.
- Where a paper leaves open which slices to return, a slice must be significant on val: `_supported`
  asks for the support, effect and Fisher test with which the controls judge a slice. Where there is
  none, usually no slice is returned.
- Packages that are hard to install are adapters. `cleanlab` and `sliceline` are extras; `domino` pins a scikit-learn without a
  build for Python 3.11, so `domino_reference` gives the command that installs it as the reason why
  it cannot run.
"""
