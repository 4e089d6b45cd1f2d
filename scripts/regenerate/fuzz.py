"""Fuzz every public entry point with hostile inputs.

    python scripts/regenerate/fuzz.py [--inputs 300] [--seed 0] [--family files] [--write]

`--inputs` is the number for an entry of share 1; the default gives some 20,000 in all, in about ten
minutes on one core. `--write` writes the counts to docs/reference/reliability.json and their table to
docs/reference/reliability.md. The exit code is 1 if an input gave neither a result nor a typed error; such
inputs are printed. `--coverage SECONDS` lets Atheris, if it is installed, steer the inputs of our
own parsers by coverage.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.dont_write_bytecode = True

from tests.fuzz.campaign import FAMILIES, as_json, campaign, entries, table  # noqa: E402 - after the path
from tests.fuzz.harness import Count  # noqa: E402, TC001


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument("--entry", default="", help="part of the name of the entries to run")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--coverage", type=int, default=0, metavar="SECONDS")
    asked = parser.parse_args()
    if asked.coverage:
        from tests.fuzz.coverage import fuzz

        fuzz(asked.coverage)  # does not come back
    rows, bugs, start = [], 0, time.monotonic()
    for family in asked.family or FAMILIES:
        chosen = [entry for entry in entries(family) if asked.entry in entry.name]
        counts = campaign(chosen, asked.inputs, number=asked.seed, say=say)
        rows += as_json(family, counts)
        bugs += sum(len(count.bugs) for count in counts.values())
    print(f"{sum(row['inputs'] for row in rows):,} inputs, {bugs} bugs, {time.monotonic() - start:.0f} s")
    if asked.write:
        write(rows, asked.seed)
    return 1 if bugs else 0


def say(name: str, count: Count) -> None:
    print(f"{name}: {count.inputs:,} inputs, slowest {count.slowest_s:.2f} s, {dict(count.outcomes)}", flush=True)
    for bug, value in count.bugs.items():
        print(f"  BUG {bug}\n      {value[:600]}", flush=True)


def write(rows: list, seed: int) -> None:
    described = {"command": "python scripts/regenerate/fuzz.py --write", "seed": seed, "entries": rows}
    (ROOT / "docs" / "reference" / "reliability.json").write_text(
        json.dumps(described, indent=1) + "\n", encoding="utf-8"
    )
    page = ROOT / "docs" / "reference" / "reliability.md"
    text = page.read_text(encoding="utf-8")
    made = f"<!-- counts -->\n{table(described)}<!-- /counts -->"
    page.write_text(
        re.sub(r"<!-- counts -->.*<!-- /counts -->", lambda _: made, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())
