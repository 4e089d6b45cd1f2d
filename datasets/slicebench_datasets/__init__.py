"""Built-in dataset adapters, one per file; files that begin with an underscore hold code that several share.

Decisions
- Pickles are parsed, not run: CIFAR's official batches are pickles; `_pickled_data` reads only dictionaries, lists and arrays.
- Roots are part of a problem's identity only if they are given; the content of the files always is.
- `calibration.json` records how the plants of the offline suites were chosen.
"""
