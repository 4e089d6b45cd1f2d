"""Render the page from its templates, with the data for its script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicebench.results.numbers import probability, rounded
from slicebench.results.page.html import asset, digest, environment
from slicebench.results.page.view import View

if TYPE_CHECKING:
    from slicebench.metrics.estimate import Estimate
    from slicebench.results.board import Board, CellView


def render(board: Board) -> str:
    """Render the HTML page of `board`; equal boards give equal bytes.

    Its policy allows only the scripts and styles in the page, by their hashes. The page makes no
    requests.
    """
    view = View(board)
    own = {"css": asset("board.css"), "early": asset("early.js"), "script": asset("board.js")}
    policy = (
        f"default-src 'none'; img-src data:; style-src '{digest(own['css'])}'; "
        f"script-src '{digest(own['early'])}' '{digest(own['script'])}'; base-uri 'none'; form-action 'none'"
    )
    template = environment().get_template("board.html.j2")
    return template.render(board=board, view=view, policy=policy, data=script_data(view), **own)


def script_data(view: View) -> dict[str, Any]:
    """Return the data that the script draws: metrics, methods, cells and curves.

    Estimates are [mean, low, high, behind].
    """
    board = view.board
    keys = [m.key for m in view.shown_metrics]
    methods = [
        {
            "name": row.name,
            "reference": row.reference,
            "look": view.look.get(row.name),
            "requires": row.requires,
            "seconds": rounded(row.seconds_per_10k),
            "values": {key: _estimate(row.values[key]) for key in keys if key in row.values},
            "chance": {key: rounded(row.chance[key]) for key in keys if key in row.chance},
            "p": {key: probability(p) for key, p in row.p.items()},
        }
        for row in board.methods
    ]
    return {
        "headline": view.metric.key,
        "metrics": {
            m.key: {"label": m.label, "about": m.about, "axis": [view.axes[m.key].low, view.axes[m.key].high]}
            for m in view.shown_metrics
        },
        "methods": methods,
        "problems": [
            {
                "name": p.name,
                "modality": p.modality,
                "kind": p.kind,
                "family": p.family,
                "cells": [_cell(view.cell(p.name, row.name), keys) for row in board.methods],
                "curves": [
                    [rounded(v, 4) for v in board.curves.get(p.name, {}).get(row.name, ())] for row in board.methods
                ],
            }
            for p in board.problems
        ],
        "shares": board.shares,
    }


def _cell(cell: CellView | None, keys: list[str]) -> dict[str, list[float | int | None]]:
    return {} if cell is None else {key: _estimate(cell.values[key]) for key in keys if key in cell.values}


def _estimate(estimate: Estimate) -> list[float | int | None]:
    ends = [rounded(estimate.mean), rounded(estimate.low), rounded(estimate.high)]
    return [*ends, 1] if estimate.behind else ends if estimate.low is not None else ends[:1]
