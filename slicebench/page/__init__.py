"""A `Board` as one self-contained HTML page: no server, no request, readable without JavaScript."""

from slicebench.page.render import render

__all__ = ["render"]
