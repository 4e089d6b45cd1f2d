"""Built-in dataset adapters, one file each; files that begin with an underscore are shared by several of them.

Decisions
- Pickles are parsed, not run: CIFAR's official batches are pickles; `_pickled_data` reads only dictionaries, lists and arrays.
- Roots are no part of a problem's identity unless they are given.
- `calibration.json` records how the plants of the offline suites were chosen.
"""
