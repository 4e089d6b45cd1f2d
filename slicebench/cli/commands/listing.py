"""`slicebench list` and `slicebench show`."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from inspect import cleandoc
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slicebench.cli.commands.run import print_results
from slicebench.cli.layout import width
from slicebench.cli.options import AsJson, Location, parsed_location

if TYPE_CHECKING:
    from slicebench.plugins.registry import Registry


class Kind(StrEnum):
    """A kind of thing that `slicebench list` can list."""

    methods = "methods"
    datasets = "datasets"
    encoders = "encoders"
    decoders = "decoders"
    interventions = "interventions"
    generators = "generators"
    suites = "suites"


def parsed_kind(text: str) -> Kind:
    """Return the kind that `text` names, in the plural or the singular."""
    for kind in Kind:
        if text in (kind.value, kind.value.removesuffix("s")):
            return kind
    raise typer.BadParameter(f"{text!r} is not one of {', '.join(Kind)}")


def kinds_named(incomplete: str) -> list[str]:
    """Return the kinds that begin with `incomplete`, for the shell's completion."""
    return [kind.value for kind in Kind if kind.value.startswith(incomplete)]


def list_command(
    kind: Annotated[
        Kind | None,
        typer.Argument(
            parser=parsed_kind,
            autocompletion=kinds_named,
            metavar="KIND",
            help=f"List only these: {', '.join(Kind)}; the singular works too.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List methods, datasets, encoders, decoders, interventions, generators and suites, with the state of each plugin.

    \b
    slicebench list
    slicebench list datasets                 what is planted, where the data are
    slicebench list methods --json
    SLICEBENCH_PLUGINS=off slicebench list   without plugins of other packages
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
        widest = max((len(item["name"]) for item in items), default=0)
        for item in items:
            _say(item, widest, _about(k, item))


def _say(item: dict[str, Any], widest: int, about: list[str]) -> None:
    """Print a name with its description, wrapped beside it, and its distribution unless that is slicebench."""
    indent = " " * (widest + 4)
    owner = "" if item["distribution"] == "slicebench" else f"from {item['distribution']}"
    state = "" if item["status"] == "ok" else item["status"]
    said = [line for line in (*about, owner, state) if line]
    lines = [part for line in said for part in wrap(line, max(30, width() - len(indent)), break_long_words=False)]
    typer.echo(f"  {item['name']:<{widest}}  {lines[0] if lines else ''}".rstrip())
    for line in lines[1:]:
        typer.echo(indent + line)


def _about(kind: Kind, item: dict[str, Any]) -> list[str]:
    """Return the description of a plugin or suite, its argument, and what it needs of a problem."""
    described = item.get("description", "")
    if not described and kind is not Kind.datasets and item["status"] == "ok":
        doc = cleandoc(_registries()[kind].load(item["name"]).__doc__ or "")
        described = " ".join(doc.split("\n\n")[0].split())
    argument, needed = item.get("argument"), ", ".join(item.get("requires", ()))
    return [
        described,
        f"argument: {item['name']}:{argument}" if argument else "",
        f"needs {needed}" if needed and kind is not Kind.suites else "",
    ]


def show_command(
    run: Annotated[Location, typer.Argument(parser=parsed_location, help="Run folder, or its URL.", metavar="RUN")],
    as_json: AsJson = False,
) -> None:
    """Print the result tables of a run folder.

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
    """Return what `$SLICEBENCH_PLUGINS` leaves out, in a sentence; empty if it is not set."""
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
