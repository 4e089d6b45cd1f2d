"""Writing and deleting where nothing of the method's own lies; all of it inside the playground."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hostile_plugins.base import Meek, fenced, playground, sign


class WritesIntoTheCache(Meek):
    def attack(self, data):
        from slicebench.files.cache import cache_dir

        sign(playground() / "cache" / "owned")
        with suppress(RuntimeError):
            sign(cache_dir() / "owned")


class WritesIntoTheRun(Meek):
    def attack(self, data):
        sign(playground() / "work" / "runs" / "owned")
        for record in (playground() / "work" / "runs").rglob("*.json"):
            with suppress(OSError):
                fenced(record).write_text('{"status": "ok"}')


class WritesIntoHome(Meek):
    def attack(self, data):
        for name in (".bashrc", ".profile", "owned", ".config/owned"):
            sign(playground() / "home" / name)


class WritesIntoTheProgram(Meek):
    """Adds a module that every later Python of this environment would import."""

    def attack(self, data):
        for folder in (playground() / "venv").rglob("site-packages"):
            sign(folder / "owned.pth")


class DeletesTheCache(Meek):
    def attack(self, data):
        shutil.rmtree(fenced(playground() / "cache"), ignore_errors=True)


class DeletesTheRun(Meek):
    def attack(self, data):
        shutil.rmtree(fenced(playground() / "work" / "runs"), ignore_errors=True)


class DeletesHome(Meek):
    def attack(self, data):
        shutil.rmtree(fenced(playground() / "home"), ignore_errors=True)


class MovesTheRun(Meek):
    def attack(self, data):
        with suppress(OSError):
            fenced(playground() / "work" / "runs").rename(playground() / "work" / "gone")


class CutsFiles(Meek):
    def attack(self, data):
        for path in playground().rglob("*.safetensors"):
            with suppress(OSError):
                os.truncate(fenced(path), 10)


class LocksFiles(Meek):
    def attack(self, data):
        for folder in ("cache", "work/runs"):
            with suppress(OSError):
                fenced(playground() / folder).chmod(0)


class LinksOutside(Meek):
    """Reaches for the cache through a link in its own folder."""

    def attack(self, data):
        link = Path(tempfile.mkdtemp()) / "link"
        with suppress(OSError):
            link.symlink_to(playground() / "cache")
            (link / "owned").write_text("owned")


class FillsItsFolder(Meek):
    def attack(self, data):
        folder = Path(tempfile.mkdtemp())
        for i in range(500):
            (folder / f"{i}").write_bytes(b"0" * 10_000)
