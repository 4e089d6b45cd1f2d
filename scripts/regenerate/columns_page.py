"""Write the tables of docs/reference/columns.md from the code: python scripts/regenerate/columns_page.py

tests/project/test_columns_page.py checks that the page is up to date.
"""

from __future__ import annotations

from pathlib import Path

from slicebench.data.schema.kinds import KINDS, WHY
from slicebench.data.schema.roles import PREFIXES, USUAL

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "columns.md"


def page(text: str) -> str:
    """Return the page with its tables renewed."""
    for name, made in (("kinds", kinds()), ("unused", unused()), ("roles", roles())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = text[: text.index(begin)] + f"{begin}\n\n{made}\n\n{end}" + text[text.index(end) + len(end) :]
    return text


def kinds() -> str:
    """Return the table of kinds that are used."""
    rows = [f"| {k.name} | {k.recognised} | {k.features} | {k.rules} |" for k in KINDS.values() if k.name not in WHY]
    return "\n".join(["| kind | what it looks like | as a description | in rules |", "|---|---|---|---|", *rows])


def unused() -> str:
    """Return the table of kinds that are not used, with the reason that is given."""
    rows = [f"| {name} | {KINDS[name].recognised} | {why} |" for name, why in WHY.items()]
    return "\n".join(["| kind | what it looks like | reason given |", "|---|---|---|", *rows])


def roles() -> str:
    """Return the table of usual names."""
    extra = {"probs": f"; or the prefixes {', '.join(f'`{prefix}`' for prefix in PREFIXES)} before every class"}
    rows = [
        f"| {role} | {', '.join(f'`{name}`' for name in names)}{extra.get(role, '')} |" for role, names in USUAL.items()
    ]
    return "\n".join(["| role | usual names |", "|---|---|", *rows])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
