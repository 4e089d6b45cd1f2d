"""Methods that attack the benchmark: each tries one thing that may change, stop or read what is not its own.

They run only where `tests/runs/test_hostile.py` has installed them: a file `playground.txt` beside this one names the folder
of the test, and nothing outside that folder is written or deleted.
"""
