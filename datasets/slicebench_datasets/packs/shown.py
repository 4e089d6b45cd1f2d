"""What a pack's card says to readers: facts in the order in which they are shown, and Croissant for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicebench.plugins.dataset_card import DatasetCard, croissant_header
from slicebench_datasets.packs.card import FOLDER, TABLE
from slicebench_datasets.packs.contents import column_types

if TYPE_CHECKING:
    from slicebench_datasets.packs.card import PackCard, ProblemCard

MEDIA = {"parquet": "application/vnd.apache.parquet", "webp": "image/webp", "safetensors": "application/octet-stream"}
CORRUPTED = "rows with noise"


def described(card: PackCard) -> DatasetCard:
    """Return the card as `slicebench list datasets` and `slicebench data card` show it."""
    kinds = sorted({problem.kind for problem in card.problems})
    groups = dict.fromkeys(one.name for problem in card.problems for one in problem.groups)
    sizes = card.problems[0].sizes.model_dump().values()
    return DatasetCard(
        title=card.title,
        size=f"{sum(sizes):,} used",
        group="; ".join(groups) or CORRUPTED,
        rate=f"{len(card.problems)} problem{'s' * (len(card.problems) > 1)}",
        groups_kind=" and ".join(kinds),
        licence=card.licence.name,
        source=card.url,
        facts=tuple(_facts(card)),
        citation=card.cite_as.strip(),
    )


def _facts(card: PackCard) -> list[tuple[str, str]]:
    """Return labels and texts."""
    about = card.about
    bytes_ = sum((FOLDER / card.name / file).stat().st_size for file in card.files)
    rest = [f"{one.registry}: {one.package} {one.version}, {one.file}, sha256 {one.sha256}" for one in card.sources]
    licence = f"{card.licence.name}. {card.licence.redistribution} {card.licence.url}".strip()
    return [
        ("about", card.description),
        ("domain", card.domain),
        ("date", f"{card.date}, {bytes_ / 1e6:.1f} MB"),
        ("makers", ", ".join(card.creators)),
        *((problem.name, _problem(problem)) for problem in card.problems),
        ("labels", about.labels),
        ("groups", about.groups),
        ("duplicates", about.duplicates),
        ("encoders", about.pretraining),
        *(("vectors", f"{name}: {what}") for name, what in card.vectors.items()),
        ("columns", "; ".join(f"{name}: {what}" for name, what in card.columns.items())),
        *(("read from", text) for text in rest),
        ("licence", licence),
    ]


def _problem(problem: ProblemCard) -> str:
    plant = problem.plant
    kind = problem.kind if plant is None else f"planted ({plant.kind.replace('_', ' ')} {plant.strength:g})"
    groups = ", ".join(one.name for one in problem.groups) or CORRUPTED
    n = " / ".join(f"{n:,}" for n in problem.sizes.model_dump().values())
    classes = ", ".join(one.name for one in problem.classes)
    return f"{kind}. {problem.how} Groups: {groups}. Classes: {classes}. n {n}. Base model: {problem.model.kind}."


def croissant(card: PackCard) -> dict[str, Any]:
    """Return the card in Croissant 1.0 (MLCommons), with the table's columns as the fields of its record set."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "encodingFormat": MEDIA[name.rpartition(".")[2]],
            "sha256": digest,
        }
        for name, digest in card.files.items()
    ]
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"rows/{name}",
            "name": name,
            "description": card.columns[name],
            "dataType": kind,
            "source": {"fileObject": {"@id": TABLE}, "extract": {"column": name}},
        }
        for name, kind in column_types(card.name).items()
    ]
    return croissant_header(card.name, card.title) | {
        "description": card.description,
        "license": card.licence.url or card.licence.name,
        "url": card.url,
        "citeAs": card.cite_as.strip(),
        "version": f"{card.version}.0.0",
        "datePublished": card.date.isoformat(),
        "keywords": [*card.keywords, card.modality, card.domain],
        "creator": [{"@type": "sc:Person", "name": name} for name in card.creators],
        "distribution": files,
        "recordSet": [{"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}],
    }
