"""Write a `Board` as one self-contained HTML page: no server, no requests, readable without JavaScript."""

from __future__ import annotations

from slicebench.results.page.render import render

__all__ = ["render"]
