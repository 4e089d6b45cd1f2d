"""Make the pack `activity_cliffs`: potency of molecules at two targets, from the package MoleculeACE."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _common import Family, distinct_rows, main
from _molecules import facts, fingerprints, parsed

TARGETS = {"CHEMBL234": "dopamine D3", "CHEMBL204": "thrombin"}


def make(family: Family) -> None:
    folder = family.package("MoleculeACE") / "MoleculeACE/Data/benchmark_data"
    found = pd.concat(
        [pd.read_csv(folder / f"{code}_Ki.csv").assign(target=target) for code, target in TARGETS.items()],
        ignore_index=True,
    )
    molecules = parsed(found["smiles"].tolist())
    vectors = fingerprints(molecules)
    kept = distinct_rows(vectors.astype("float16"), found["target"].to_numpy(str))
    found, molecules = found.iloc[kept].reset_index(drop=True), [molecules[row] for row in kept]
    table = pd.DataFrame([facts(molecule) for molecule in molecules])
    table["scaffold"] = pd.factorize(table["scaffold"])[0]
    median = found.groupby("target")["y"].transform("median")
    table.insert(0, "target", found["target"])
    table.insert(1, "potency", np.where(found["y"] > median, "active", "weak"))
    table.insert(2, "log_ki", found["y"].astype(np.float32).round(3))
    table.insert(3, "cliff", found["cliff_mol"].astype(bool))
    family.write(table.assign(smiles=found["smiles"]), vectors={"morgan": vectors[kept]})


if __name__ == "__main__":
    main("activity_cliffs", make)
