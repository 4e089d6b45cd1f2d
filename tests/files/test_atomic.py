"""A folder appears complete or not at all, and what is left of a failure is nothing."""

from __future__ import annotations

import pytest

from slicebench.files import atomic


def test_a_folder_appears_when_it_is_whole(tmp_path):
    place = tmp_path / "deep" / "place"
    with atomic.folder(place) as building:
        (building / "file").write_text("x")
        assert building.parent == place.parent
        assert not place.exists()
    assert [p.name for p in place.parent.iterdir()] == ["place"]
    assert (place / "file").read_text() == "x"
    assert place.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_error_leaves_nothing(tmp_path, error):
    def fill():
        with atomic.folder(tmp_path / "place") as building:
            (building / "file").write_text("x")
            raise error

    with pytest.raises(error):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_stays(tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old").write_text("old")
    with pytest.raises(OSError, match="place"), atomic.folder(tmp_path / "place") as building:
        (building / "new").write_text("new")
    assert [p.name for p in tmp_path.rglob("*")] == ["place", "old"]
    asked = []
    with atomic.folder(tmp_path / "place", lambda *paths: asked.append(paths)) as building:
        pass
    assert asked == [(building, tmp_path / "place")]
    assert [p.name for p in tmp_path.rglob("*")] == ["place", "old"]
