"""Entry point of `python -m slicebench`."""

from __future__ import annotations

from slicebench.cli import main

if __name__ == "__main__":
    main()
