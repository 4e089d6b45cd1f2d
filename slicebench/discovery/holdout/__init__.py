"""Find on some folds, test on the other: what makes the numbers of a slice honest.

`folds` deals rows, and `excess` puts outcomes on one scale. In each fold `forward` chooses from the candidates, `fold_tests`
tests them, and `consensus` joins what the folds found.
"""
