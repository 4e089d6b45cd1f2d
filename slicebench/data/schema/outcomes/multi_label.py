"""Compare rows with several labels: true and predicted sets of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slicebench.data.schema.outcomes.label_sets import label_sets
from slicebench.data.schema.outcomes.outcomes import Outcomes
from slicebench.data.schema.roles import called, parameter
from slicebench.errors import ConfigError

if TYPE_CHECKING:
    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable


def multi_label(table: UserTable, roles: Roles) -> Outcomes:
    """Compare sets of labels: all of them at once, or the presence of one (`one_label`)."""
    if roles.prediction is None or roles.label is None:
        raise ConfigError(
            f"{table.where(str(roles.label))} holds lists of labels; name a column of predicted lists "
            f"({parameter('prediction')})"
        )
    read = label_sets(table, roles.label, roles.prediction, roles)
    truth, said = read.truth, read.said
    every = sorted(set().union(*truth, *said))
    if roles.one_label is not None:
        if roles.one_label not in every:
            raise ConfigError(
                f"no row has the label {roles.one_label!r} (named as {called('one_label')}); known: "
                f"{', '.join(every[:20])}{', ...' if len(every) > 20 else ''}"
            )
        own = [np.array([roles.one_label in held for held in sets], dtype=np.int64) for sets in (truth, said)]
        names = (f"no {roles.one_label}", roles.one_label)
        return Outcomes(
            task="multi-label",
            classes=names,
            class_names=names,
            labels=own[0],
            predictions=own[1],
            sets=[held - {roles.one_label} for held in truth],
            notes=[*read.notes],
        )
    wrong = [held ^ other for held, other in zip(truth, said, strict=True)]
    counts = {label: sum(label in sets for sets in wrong) for label in every}
    most = sorted(every, key=lambda label: -counts[label])[:5]
    note = (
        f"A row can have several labels; the table has {len(every)} different ones. A row counts as right if "
        "exactly its labels are predicted. Most often wrong, with the number of rows: "
        f"{', '.join(f'{label} ({counts[label]:,})' for label in most)}. To look at one label only: "
        f"{parameter('one_label')}."
    )
    return Outcomes(
        task="multi-label",
        correct=np.array([not one for one in wrong]),
        losses=np.array([len(one) for one in wrong], dtype=np.float64),
        sets=truth,
        notes=[*read.notes, note],
    )
