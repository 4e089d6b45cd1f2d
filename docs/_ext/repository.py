"""Links that leave docs/ lead to pages of the site.

Pages link to the leaderboard's tables, to sources and folders as they lie in the repository, so that they read well there. At
build time whatever they link to is put into docs/repository/ (ignored by git) under its own path: Markdown as a page, and what it
links to in turn; sources as a page that shows them; folders as a list; web pages and what is large as files beside the site's.
Links are rewritten as the pages are read.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
MIRROR = DOCS / "repository"
LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
IMAGES = {".png", ".jpg", ".svg", ".gif"}
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".sh": "sh", ".json": "json"}
LARGEST_SHOWN = 200_000
"""Bytes; what is larger is a file to download, not a page."""
RAW: list[Path] = []
"""Files that go to the site as they are; found when the build begins, copied when it has ended."""


def linked(text: str, folder: Path) -> Iterator[tuple[re.Match[str], Path]]:
    """Links of a Markdown text that lead to a file or folder, and where."""
    for match in LINK.finditer(text):
        path = (folder / match["path"]).resolve()
        if path.exists() and path.is_relative_to(ROOT):
            yield match, path


def is_page(path: Path) -> bool:
    """Whether Sphinx reads the file by itself, or copies it, being an image."""
    return path.is_relative_to(DOCS) and not path.is_relative_to(MIRROR) and path.suffix in {".md", *IMAGES}


def is_raw(path: Path) -> bool:
    """Whether the file goes to the site as it is."""
    if path.is_dir() or path.suffix in {".md", *IMAGES}:
        return False
    return path.suffix == ".html" or path.stat().st_size > LARGEST_SHOWN


def stand_in(path: Path) -> Path:
    """Source under docs/ of the page that shows `path`."""
    if is_page(path):
        return path
    place = MIRROR / path.relative_to(ROOT)
    if path.is_dir():
        return place / "index.md"
    return place if is_raw(path) or path.suffix in {".md", *IMAGES} else place.with_name(place.name + ".md")


def shown(path: Path) -> str:
    """Text of the page that stands in for a source or a folder."""
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        entries = sorted(p for p in path.iterdir() if not p.name.startswith((".", "__")))
        lines = (f"- `{p.name}{'/' if p.is_dir() else ''}`" for p in entries)
        return f"# `{name}/`\n\nA folder of the repository:\n\n" + "\n".join(lines) + "\n"
    language = LANGUAGES.get(path.suffix, "text")
    text = path.read_text()
    fence = "`" * (3 + max((len(run) for run in re.findall("`{3,}", text)), default=0))
    return f"# `{name}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def mirror(_: Sphinx) -> None:
    """Fill docs/repository/ with what is linked to, directly or from there."""
    shutil.rmtree(MIRROR, ignore_errors=True)
    queue = [p for p in sorted(DOCS.rglob("*.md")) if "_build" not in p.parts]
    done = set(queue)
    RAW.clear()
    while queue:
        page = queue.pop()
        for _, path in linked(page.read_text(), page.parent):
            if path in done or is_page(path):
                continue
            done.add(path)
            if is_raw(path):
                RAW.append(path)
            else:
                place(path)
            if path.suffix == ".md":
                queue.append(path)


def place(path: Path) -> None:
    target = stand_in(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".md", *IMAGES}:
        shutil.copy2(path, target)
    else:
        target.write_text(shown(path))


def rewrite(_: Sphinx, docname: str, source: list[str]) -> None:
    """Point the links of a page at what stands in for their targets."""
    page = DOCS / f"{docname}.md"
    origin = ROOT / page.relative_to(MIRROR) if page.is_relative_to(MIRROR) else page
    if not origin.exists():  # a page made for a source: it has no links
        return
    text, pieces, at = source[0], [], 0
    for match, path in linked(text, origin.parent):
        target = os.path.relpath(stand_in(path), page.parent)
        scheme = "site:" if is_raw(path) else ""
        pieces += [text[at : match.start()], scheme, target, match["anchor"] or ""]
        at = match.end()
    source[0] = "".join([*pieces, text[at:]])


def unlisted(app: Sphinx, _: object) -> None:
    """Let pages that stand in for files of the repository stand outside the table of contents."""
    if app.env.docname.startswith(f"{MIRROR.name}/"):
        app.env.metadata[app.env.docname]["orphan"] = True


def copy_raw(app: Sphinx, failure: Exception | None) -> None:
    """Put files that are no pages where links expect them."""
    if failure is None:
        for path in RAW:
            target = Path(app.outdir) / stand_in(path).relative_to(DOCS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", mirror)
    app.connect("source-read", rewrite)
    app.connect("doctree-read", unlisted)
    app.connect("build-finished", copy_raw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
