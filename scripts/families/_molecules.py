"""Fingerprints and facts of molecules, for the scripts of the families; RDKit reads them from SMILES."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem, RDLogger
from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RDLogger.DisableLog("rdApp.*")
ACID = Chem.MolFromSmarts("[CX3](=O)[OX2H1,OX1-]")


def parsed(smiles: Sequence[str]) -> list[Any]:
    """Return RDKit's molecules, None for text that is none."""
    return [Chem.MolFromSmiles(one) for one in smiles]


def fingerprints(molecules: Sequence[Any], directions: int = 64) -> NDArray[np.float64]:
    """Return `directions` singular directions of counts of Morgan fragments up to radius 2, (n, directions)."""
    from sklearn.decomposition import TruncatedSVD

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    counts = np.log1p(np.stack([generator.GetCountFingerprintAsNumPy(one) for one in molecules]).astype(np.float64))
    found: NDArray[np.float64] = TruncatedSVD(directions, algorithm="arpack", random_state=0).fit_transform(counts)
    return found / found.std(axis=0)


def facts(molecule: Any) -> dict[str, object]:
    """Return a molecule's size, rings, polarity and scaffold; the scaffold of one without rings is its own SMILES."""
    plain = Chem.MolToSmiles(molecule, isomericSmiles=False)
    return {
        "heavy_atoms": np.int16(molecule.GetNumHeavyAtoms()),
        "rings": np.int8(rdMolDescriptors.CalcNumRings(molecule)),
        "aromatic_rings": np.int8(rdMolDescriptors.CalcNumAromaticRings(molecule)),
        "acid": molecule.HasSubstructMatch(ACID),
        "log_p": np.float32(round(Crippen.MolLogP(molecule), 2)),
        "polar_area": np.float32(round(rdMolDescriptors.CalcTPSA(molecule), 1)),
        "donors": np.int8(rdMolDescriptors.CalcNumHBD(molecule)),
        "rotatable_bonds": np.int16(rdMolDescriptors.CalcNumRotatableBonds(molecule)),
        "halogens": np.int8(sum(atom.GetSymbol() in {"F", "Cl", "Br", "I"} for atom in molecule.GetAtoms())),
        "charge": np.int8(Chem.GetFormalCharge(molecule)),
        "weight": np.float32(round(Descriptors.MolWt(molecule), 1)),
        "scaffold": MurckoScaffold.MurckoScaffoldSmiles(smiles=plain) or plain,
    }
