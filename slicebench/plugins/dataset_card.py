"""Describe local data, find them, and say what is missing.

No adapter downloads data. A `DatasetCard` says where the data come from and which layouts of files
are read. `locate` finds the folder, or says what is missing. `inspect_data` reports on every file,
and checks the checksums if asked.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slicebench.errors import StorageError
from slicebench.files.cache import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Wanted:
    """A file of a layout, or all files that match a pattern.

    Parameters
    ----------
    path : str
        Relative to the layout's folder; may hold "*".
    what : str
        Description in words.
    count : int, optional
        Number of files in the published data, if the pattern matches many.
    md5 : str, optional
        Checksum that was published with the data.

    """

    path: str
    what: str
    count: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Layout:
    """One arrangement of files that an adapter reads; all of the files are required."""

    name: str
    files: tuple[Wanted, ...]


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """Card of a dataset, as `slicebench list datasets` and `slicebench data check` show it.

    Parameters
    ----------
    title : str
    size : str
        Examples, in words: "50,000 train + 10,000 test".
    group : str
        What is planted, or which natural group is the minority.
    rate : str
        The group's share of train and of test, in words.
    licence : str
    source : str
        Description of the data: a paper, a web page.
    groups_kind : str
        Whether its groups are "natural", "planted", or "natural and planted".
    facts : tuple of (label, text)
        What `slicebench data card` shows besides, in this order.
    citation : str
        BibTeX.
    obtain : str
        How to get the data, and what to do with the archive. Empty for generated data.
    folder : str
        Name of the data's folder in `data_dir`. Empty for generated data.
    layouts : tuple of Layout
        Any one of them is enough. Empty for generated data.

    """

    title: str
    size: str
    group: str
    rate: str
    licence: str
    source: str
    groups_kind: str = "planted"
    facts: tuple[tuple[str, str], ...] = ()
    citation: str = ""
    obtain: str = ""
    folder: str = ""
    layouts: tuple[Layout, ...] = ()

    def expected_root(self) -> Path:
        """Return the folder where the data are expected if no root is given."""
        return data_dir() / self.folder


@dataclass(frozen=True)
class Place:
    """Folder in which a layout was found."""

    layout: str
    folder: Path

    def file(self, pattern: str) -> Path:
        """Return the first file of the folder that matches `pattern`.

        Raises `StorageError` if it has been removed since the layout was found.
        """
        for path in _matches(self.folder, pattern):
            return path
        raise StorageError(f"{self.folder} no longer has {pattern}; put it back")

    def files(self, pattern: str) -> list[Path]:
        """Return all files of the folder that match `pattern`, sorted."""
        return sorted(_matches(self.folder, pattern))


@dataclass(frozen=True)
class FileReport:
    """Check of one `Wanted`: number of files, bytes, and whether the checksum holds.

    `md5_holds` is None if no checksum is known or none was asked for.
    """

    wanted: Wanted
    found: int
    size: int
    md5_holds: bool | None

    @property
    def problem(self) -> str:
        """What is wrong with the files, in a few words; empty if nothing is."""
        if not self.found:
            return "missing"
        if self.wanted.count is not None and self.found != self.wanted.count:
            return f"{self.found:,} files; the published data have {self.wanted.count:,}"
        return "differs from the published checksum" if self.md5_holds is False else ""


@dataclass(frozen=True)
class LayoutReport:
    """Check of one layout, and the folder that was searched."""

    layout: str
    folder: Path
    files: tuple[FileReport, ...]

    @property
    def complete(self) -> bool:
        """True if every file exists; numbers and checksums may differ from the published ones."""
        return all(report.found for report in self.files)


def croissant_header(name: str, title: str) -> dict[str, Any]:
    """Return what every description in Croissant 1.0 begins with."""
    terms = ("citeAs", "column", "dataType", "extract", "field", "fileObject", "recordSet", "source")
    context: dict[str, Any] = {"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/"}
    context |= {
        "cr": "http://mlcommons.org/croissant/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
    }
    context |= {term: f"cr:{term}" for term in terms} | {"dataType": {"@id": "cr:dataType", "@type": "@vocab"}}
    return {
        "@context": context,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "alternateName": title,
    }


def data_dir() -> Path:
    """Return the folder of local datasets.

    It is `$SLICEBENCH_DATA`, else `data` in the cache folder.
    """
    named = os.environ.get("SLICEBENCH_DATA")
    return Path(named) if named else cache_dir() / "data"


def locate(card: DatasetCard, root: str | Path | None = None) -> Place:
    """Find the first layout of `card` that is complete.

    It is searched in `root`, by default the expected folder, and in the folders right below it.

    Raises
    ------
    StorageError
        if none is complete; the message says what the nearest layout lacks, and how to get it.

    """
    folder = card.expected_root() if root is None else Path(root).expanduser()
    for layout in card.layouts:
        for base in _bases(folder):
            if all(_has(base, wanted.path) for wanted in layout.files):
                return Place(layout.name, base)
    raise StorageError(_what_is_missing(card, folder))


def is_ready(card: DatasetCard, root: str | Path | None = None) -> bool:
    """Check whether some layout is complete; generated data are always ready."""
    try:
        return not card.layouts or bool(locate(card, root))
    except StorageError:
        return False


def inspect_data(card: DatasetCard, root: str | Path | None = None, *, checksums: bool = False) -> list[LayoutReport]:
    """Report on every layout, each in the folder that holds most of it.

    With `checksums`, files are read and hashed.
    """
    folder = card.expected_root() if root is None else Path(root).expanduser()
    return [_reported(layout, _best_base(layout, folder), checksums=checksums) for layout in card.layouts]


def _reported(layout: Layout, base: Path, *, checksums: bool) -> LayoutReport:
    reports = []
    for wanted in layout.files:
        paths = list(_matches(base, wanted.path))
        known = wanted.md5 if checksums and paths else None
        holds = None if known is None else _md5(paths[0]) == known
        reports.append(FileReport(wanted, len(paths), sum(p.stat().st_size for p in paths), holds))
    return LayoutReport(layout.name, base, tuple(reports))


def _what_is_missing(card: DatasetCard, folder: Path) -> str:
    if not folder.is_dir():
        have = f"there is no folder {folder}"
    else:
        candidates = [(layout, _best_base(layout, folder)) for layout in card.layouts]
        layout, base = max(candidates, key=lambda pair: _share(*pair))
        lacking = [w.path for w in layout.files if not _has(base, w.path)]
        have = f"{base} lacks {', '.join(lacking)} (layout {layout.name!r})"
    others = "; ".join(f"{layout.name}: {', '.join(w.path for w in layout.files)}" for layout in card.layouts)
    return (
        f"{card.title}: {have}. Layouts read: {others}. Source: {card.source}. To get the data: {card.obtain} "
        f"Then give their folder as `root`, or put it at {card.expected_root()} "
        f"(SLICEBENCH_DATA replaces {data_dir()})."
    )


def _bases(folder: Path) -> list[Path]:
    """Return the folder and those right below it, since archives unpack into their own folder."""
    if not folder.is_dir():
        return [folder]
    return [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]


def _best_base(layout: Layout, folder: Path) -> Path:
    return max(_bases(folder), key=lambda base: _share(layout, base))


def _share(layout: Layout, base: Path) -> float:
    return sum(_has(base, wanted.path) for wanted in layout.files) / len(layout.files)


def _has(base: Path, pattern: str) -> bool:
    return next(_matches(base, pattern), None) is not None


def _matches(base: Path, pattern: str) -> Iterator[Path]:
    """Yield the files or folders of `base` that match, without pipes or broken links.

    A path without wildcards is looked up directly.
    """
    found = base.glob(pattern) if "*" in pattern else iter([base / pattern])
    yield from (path for path in found if path.is_file() or path.is_dir())


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
