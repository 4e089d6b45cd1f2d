"""Make the pack `b3db`: molecules that cross the blood-brain barrier or do not, from the package qc-b3db."""

from __future__ import annotations

import pandas as pd
from _common import Family, distinct_rows, main
from _molecules import facts, fingerprints, parsed

CROSSES = {"BBB+": "crosses", "BBB-": "does not cross"}


def make(family: Family) -> None:
    found = pd.read_csv(family.package("qc-b3db") / "B3DB/B3DB_classification.tsv", sep="\t")
    molecules = parsed(found["SMILES"].tolist())
    known = [row for row, molecule in enumerate(molecules) if molecule is not None]
    vectors = fingerprints([molecules[row] for row in known])
    kept = distinct_rows(vectors.astype("float16"))
    found, molecules = found.iloc[known].iloc[kept].reset_index(drop=True), [molecules[known[row]] for row in kept]
    table = pd.DataFrame([facts(molecule) for molecule in molecules])
    table["scaffold"] = pd.factorize(table["scaffold"])[0]
    table.insert(0, "crossing", found["BBB+/BBB-"].map(CROSSES))
    table.insert(1, "evidence", found["group"])
    family.write(table.assign(smiles=found["SMILES"]), vectors={"morgan": vectors[kept]})


if __name__ == "__main__":
    main("b3db", make)
