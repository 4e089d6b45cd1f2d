"""Read the files beside a leaderboard's records: tolerances, controls, discovery, reasons for new baselines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from slicebench.errors import ConfigError, StorageError
from slicebench.files.json_models import stored_model
from slicebench.files.locations import read_bytes
from slicebench.files.toml_documents import parsed
from slicebench.results.board import ControlBoard, DiscoveryBoard

if TYPE_CHECKING:
    from pathlib import Path

    from slicebench.files.locations import Location


class Golden(BaseModel):
    """The suite and frozen problems with which `slicebench check` compares the current code.

    `problems` is the folder of the frozen problems.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str = "golden"
    problems: str = "problems"


class Tolerances(BaseModel):
    """Tolerances of the CI gate, from `tolerances.toml`.

    `exact` methods must repeat the golden order. Their hardness is compared without its scale: its
    position between its least and its largest value, to `exact_tolerance`. The others fail if the
    whole interval of the change in nAMF is below -`namf_drop`. They get a warning if they lose more
    than `namf_warn` and the loss is real: any loss of a method that another processor does not
    move, and for the methods in `moving`, an interval below 0.
    `fwer_max` bounds the upper end of the interval of FWER_clean. `time_soft` and `time_hard` limit
    the ratio of a method's time to that in the baseline, each divided by the time of a reference
    workload.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    headline: str = "standard"
    golden: Golden = Golden()
    exact: tuple[str, ...] = ()
    exact_tolerance: float = Field(1e-6, gt=0)
    namf_drop: float = Field(0.02, ge=0)
    namf_warn: float = Field(0.001, ge=0)
    moving: tuple[str, ...] = ()
    """Methods that train or iterate, so that the last bits of another processor change what they find."""
    fwer_max: float = Field(0.10, gt=0, le=1)
    fwer_exempt: dict[str, str] = {}
    """Methods that may raise more false alarms, with the reason."""
    time_soft: float = Field(1.25, gt=1)
    time_hard: float = Field(1.5, gt=1)


class Update(BaseModel):
    """A line of `updates.jsonl`: which baselines were replaced, when and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    suite: str
    methods: tuple[str, ...]
    reason: str
    kind: Literal["records", "controls", "timings"] = "records"


def load_tolerances(root: Path) -> Tolerances:
    """Read the tolerances of the leaderboard in `root`.

    Raises
    ------
    ConfigError
        if the file is missing or has invalid content.

    """
    path = root / "tolerances.toml"
    try:
        text = read_bytes(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"{root} is not a leaderboard: cannot read {path.name} ({why})") from error
    return parsed(Tolerances, text, str(path), "tolerances file", lambda _: list(Tolerances.model_fields))


def load_controls(path: Location) -> ControlBoard | None:
    """Read controls as `slicebench controls` wrote them; None if there is no such file."""
    return stored_model(ControlBoard, path, "run `slicebench controls` again")


def load_discovery(path: Location) -> DiscoveryBoard | None:
    """Read finders on planted causes; None if there is no such file."""
    return stored_model(DiscoveryBoard, path, "restore the file, or run scripts/regenerate/discovery_benchmark.py")


def note_update(root: Path, update: Update) -> None:
    """Append a line to `updates.jsonl`."""
    with (root / "updates.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(update.model_dump(mode="json")) + "\n")


def load_updates(root: Path) -> list[Update]:
    """Read the lines of `updates.jsonl`, oldest first.

    Raises `StorageError` for a line that cannot be read.
    """
    path = root / "updates.jsonl"
    if not path.exists():
        return []
    try:
        return [Update.model_validate_json(line) for line in read_bytes(path).decode("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {str(error).splitlines()[0]}; restore the file") from error
