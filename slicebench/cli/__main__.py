"""`python -m slicebench.cli`."""

from slicebench.cli import main

if __name__ == "__main__":
    main()
