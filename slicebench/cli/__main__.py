"""`python -m slicebench.cli`."""

from slicebench.cli import main

main()
