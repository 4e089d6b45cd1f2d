"""`slicebench list` and `slicebench show`."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.commands.run import print_results
from slicebench.cli.options import AsJson, Location, parsed_location

if TYPE_CHECKING:
    from slicebench.plugins.registry import Registry


class Kind(StrEnum):
    """What `slicebench list` can list."""

    methods = "methods"
    datasets = "datasets"
    encoders = "encoders"
    decoders = "decoders"
    interventions = "interventions"
    generators = "generators"
    suites = "suites"


def list_command(
    kind: Annotated[Kind | None, typer.Argument(help="Only these.")] = None, as_json: AsJson = False
) -> None:
    """List methods, datasets, encoders, decoders, interventions, generators and suites, with the state of each plugin.

    \b
    slicebench list
    slicebench list datasets                 what is planted, how much of it, where the data are expected
    slicebench list methods --json
    SLICEBENCH_PLUGINS=off slicebench list   no code but slicebench's own is loaded
    """
    if left_out := _left_out():
        typer.echo(left_out, err=True)
    if kind is Kind.datasets and not as_json:
        from slicebench.cli.console import print_datasets
        from slicebench.plugins.dataset_status import describe_datasets

        print_datasets(describe_datasets())
        return
    kinds = list(Kind) if kind is None else [kind]
    listed = {k: _listed(k) for k in kinds}
    if as_json:
        typer.echo(json.dumps([{"kind": k.value, **item} for k, items in listed.items() for item in items], indent=1))
        return
    for k, items in listed.items():
        typer.echo(f"{k.value}:")
        width = max((len(item["name"]) for item in items), default=0)
        for item in items:
            state = "" if item["status"] == "ok" else f"  {item['status']}"
            about = item.get("description") or item.get("argument") or ", ".join(item.get("requires", ()))
            typer.echo(f"  {item['name']:<{width}}  {item['distribution']}  {about}{state}".rstrip())


def show_command(
    run: Annotated[Location, typer.Argument(parser=parsed_location, help="Run folder, or its URL.", metavar="RUN")],
    as_json: AsJson = False,
) -> None:
    """Print the tables of a run folder: every cell asked for so far.

    \b
    slicebench show runs/quick
    """
    from slicebench.runs.store import load_run

    found = load_run(run)
    print_results(found.store, found.suite, found.cells, as_json=as_json)


def _registries() -> dict[Kind, Registry]:
    from slicebench.models.encoders.encoder import ENCODERS
    from slicebench.models.synthesis.decoder import DECODERS
    from slicebench.models.synthesis.generator import GENERATORS
    from slicebench.plugins.registry import DATASETS, METHODS
    from slicebench.studies.interventions import INTERVENTIONS

    return {
        Kind.methods: METHODS,
        Kind.datasets: DATASETS,
        Kind.encoders: ENCODERS,
        Kind.decoders: DECODERS,
        Kind.interventions: INTERVENTIONS,
        Kind.generators: GENERATORS,
    }


def _left_out() -> str:
    """What `$SLICEBENCH_PLUGINS` leaves out, in a sentence; empty if it is not set."""
    from slicebench.plugins.allowed import normalised, setting
    from slicebench.plugins.registry import distribution_of

    admitted = setting()
    if admitted.allowed is None:
        return ""
    registries = _registries().values()
    ignored = Counter(distribution_of(e) for registry in registries for e in registry.ignored())
    there = {normalised(distribution_of(e)) for registry in registries for e in registry.entries()}
    lists = {
        "loaded": ["slicebench", *sorted(admitted.allowed & there)],
        "left out": [f"{name} ({count})" for name, count in sorted(ignored.items())],
        "not installed": sorted(admitted.allowed - there),
    }
    return f"{admitted}: plugins " + "; ".join(f"{what}: {', '.join(names)}" for what, names in lists.items() if names)


def _listed(kind: Kind) -> list[dict[str, Any]]:
    if kind is Kind.datasets:
        from slicebench.plugins.dataset_status import describe_datasets

        return [{"description": item.get("title", ""), **item} for item in describe_datasets()]
    if kind is not Kind.suites:
        return [info.as_dict() for info in _registries()[kind].describe()]
    from slicebench.runs.suite import load_suite, suite_names

    described = {name: load_suite(name).description for name in suite_names()}
    shared = {"distribution": "slicebench", "requires": [], "status": "ok"}
    return [{"name": name, **shared, "description": text} for name, text in described.items()]
