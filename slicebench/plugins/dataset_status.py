"""Report on the cards of all datasets, and on the files of one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from slicebench.errors import ConfigError
from slicebench.plugins.dataset_card import croissant_header, inspect_data, is_ready
from slicebench.plugins.registry import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from slicebench.plugins.dataset_card import DatasetCard, LayoutReport


@dataclass(frozen=True)
class DataReport:
    """A dataset's card, and what was found of each of its layouts in `root`."""

    name: str
    card: DatasetCard
    root: Path
    layouts: list[LayoutReport]

    @property
    def usable(self) -> bool:
        """True if some layout is complete and as published; generated data are always usable."""
        return not self.layouts or any(
            layout.complete and not any(file.problem for file in layout.files) for layout in self.layouts
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-ready dictionary."""
        card = {key: value for key, value in asdict(self.card).items() if key != "layouts"}
        return {"name": self.name, **card, "root": str(self.root), "usable": self.usable} | {
            "layouts": [
                {
                    "name": layout.layout,
                    "folder": str(layout.folder),
                    "files": [
                        {**asdict(file.wanted), "found": file.found, "bytes": file.size, "problem": file.problem}
                        for file in layout.files
                    ],
                }
                for layout in self.layouts
            ]
        }


def report_data(name: str, root: Path | None) -> DataReport:
    """Check the files of the registered dataset `name`, checksums included.

    Raises
    ------
    PluginError
        for an unknown name; the message suggests similar ones.
    ConfigError
        for a dataset without a card, or for a root given to a dataset that reads no folder.

    """
    card = DATASETS.load(name).card
    if card is None:
        raise ConfigError(f"dataset {name!r} has no card to say which files it reads")
    if root is not None and not card.layouts:
        raise ConfigError(f"dataset {name!r} reads no folder: {card.obtain or 'it is generated'}")
    return DataReport(name, card, root or card.expected_root(), inspect_data(card, root, checksums=True))


def card_of(name: str) -> tuple[DatasetCard, dict[str, str]]:
    """Return the card of the registered dataset `name`, with its modality and version.

    Raises the same errors as `report_data`.
    """
    adapter = DATASETS.load(name)
    if adapter.card is None:
        raise ConfigError(f"dataset {name!r} has no card")
    return adapter.card, {"modality": adapter.modality, "version": adapter.version}


def croissant_of(name: str) -> dict[str, Any]:
    """Return a dataset's card in Croissant 1.0: whole if the dataset ships with its plugin, else what the card has."""
    card, about = card_of(name)
    own: Callable[[], dict[str, Any]] | None = getattr(DATASETS.load(name), "croissant", None)
    if own is not None:
        return own()
    return croissant_header(name, card.title) | {
        "description": f"{card.title}: {card.size}. Groups: {card.group}; {card.rate}.",
        "license": card.licence,
        "url": card.source,
        "version": about["version"],
        "keywords": [about["modality"]],
    }


def describe_datasets() -> list[dict[str, Any]]:
    """Describe every registered dataset: its card, its expected folder, and whether its data exist."""
    out = []
    for info in DATASETS.describe():
        about: dict[str, Any] = {"name": info.name, "distribution": info.distribution, "status": info.status}
        if info.status == "ok":
            try:
                adapter = DATASETS.load(info.name)
                about |= {"modality": adapter.modality, "version": adapter.version} | _card_fields(adapter.card)
            except Exception as error:  # noqa: BLE001 - a plugin's class may lack what the contract requires
                about["status"] = f"broken: {type(error).__name__}: {error}"
        out.append(about)
    return out


def _card_fields(card: DatasetCard | None) -> dict[str, Any]:
    if card is None:
        return {}
    fields = {key: value for key, value in asdict(card).items() if key not in ("layouts", "folder")}
    expected = str(card.expected_root()) if card.layouts else None
    return fields | {"expected": expected, "ready": is_ready(card)}
