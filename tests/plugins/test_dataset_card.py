"""Where data are looked for, what is said of them, what is said if they are not there."""

from __future__ import annotations

import hashlib

import pytest

from slicebench.errors import StorageError
from slicebench.plugins.dataset_card import DatasetCard, Layout, Wanted, data_dir, inspect_data, is_ready, locate
from slicebench.plugins.registry import DATASETS

HELLO = hashlib.md5(b"hello").hexdigest()
CARD = DatasetCard(
    title="Toys",
    size="3",
    group="broken ones",
    rate="10 %",
    licence="CC0",
    source="the attic",
    obtain="go and look.",
    folder="toys",
    layouts=(
        Layout("tables", (Wanted("toys.csv", "toys", md5=HELLO), Wanted("pictures/*.jpg", "pictures", count=2))),
        Layout("one file", (Wanted("toys-*.parquet", "all of it"),)),
    ),
)


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"hello")


def test_found_in_the_folder_or_right_below_it(tmp_path):
    fill(tmp_path, "inner/toys.csv", "inner/pictures/a.jpg")
    place = locate(CARD, tmp_path)
    assert (place.layout, place.folder) == ("tables", tmp_path / "inner")
    assert place.file("pictures/*.jpg").name == "a.jpg"
    fill(tmp_path, "toys-0.parquet", "toys-1.parquet")
    assert locate(CARD, tmp_path / "inner").layout == "tables"
    (tmp_path / "inner" / "toys.csv").unlink()
    place = locate(CARD, tmp_path)
    assert [path.name for path in place.files("toys-*.parquet")] == ["toys-0.parquet", "toys-1.parquet"]


def test_what_is_missing_is_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path / "data"))
    assert data_dir() == tmp_path / "data"
    with pytest.raises(
        StorageError, match=r"Toys: there is no folder .*data/toys.*go and look\..*SLICEBENCH_DATA replaces"
    ):
        locate(CARD)
    fill(tmp_path / "data" / "toys", "toys.csv")
    with pytest.raises(StorageError, match=r"toys lacks pictures/\*\.jpg \(layout 'tables'\)") as error:
        locate(CARD)
    assert "one file: toys-*.parquet" in str(error.value)
    assert not is_ready(CARD)
    fill(tmp_path / "data" / "toys", "pictures/a.jpg")
    assert is_ready(CARD)


def test_counts_and_checksums_are_compared_with_the_published(tmp_path):
    fill(tmp_path, "toys.csv", "pictures/a.jpg")
    tables, other = inspect_data(CARD, tmp_path, checksums=True)
    assert tables.complete
    assert not other.complete
    csv, pictures = tables.files
    assert (csv.md5_holds, csv.size, csv.problem) == (True, 5, "")
    assert pictures.problem == "1 files; the published data have 2"
    assert other.files[0].problem == "missing"
    (tmp_path / "toys.csv").write_bytes(b"hallo")
    assert inspect_data(CARD, tmp_path, checksums=True)[0].files[0].problem == "differs from the published checksum"
    assert inspect_data(CARD, tmp_path)[0].files[0].md5_holds is None


def test_every_dataset_has_a_card_that_says_all():
    for info in DATASETS.describe():
        if info.distribution != "slicebench":
            continue
        card = DATASETS.load(info.name).card
        assert card is not None, info.name
        for field in ("title", "size", "group", "rate", "licence", "source"):
            assert getattr(card, field).strip(), f"{info.name}: the card does not say {field}"
        if card.layouts:
            assert card.obtain.endswith("."), info.name
            assert card.folder, info.name
            assert all(layout.files for layout in card.layouts)


def test_adapters_of_files_say_what_is_missing_before_anything_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SLICEBENCH_DATA", str(tmp_path))
    names = [n for n in DATASETS.names() if (card := DATASETS.load(n).card) and card.layouts]
    assert len(names) >= 5
    for name in names:
        with pytest.raises(StorageError, match="there is no folder"):
            DATASETS.load(name)().build(0)
