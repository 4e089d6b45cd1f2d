"""Resolve and access locations: local paths, and URLs that fsspec knows (`s3://bucket/folder`).

An object store takes whole objects, so a file there needs no temporary file beside it. Every error
of a URL is a `StorageError` of one line, except `FileNotFoundError` when a file is read.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from slicebench.errors import StorageError
from slicebench.files.untrusted import plain_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from upath import UPath

    Location: TypeAlias = Path | UPath


PAGE = "docs/how-to/object-storage.md"
S3 = ("s3", "s3a")


def location(text: str) -> Location:
    """Return the path that `text` names, or the `UPath` of a URL; `file://` gives a local path.

    Raises
    ------
    StorageError
        for an unknown protocol, or one whose package is not installed.

    """
    protocol, mark, rest = text.partition("://")
    if not mark:
        return Path(text)
    if protocol in ("file", "local"):
        return Path(rest)
    from upath import UPath

    options: dict[str, Any] = {"use_listings_cache": False}  # other processes write there too
    if protocol in S3:
        options["max_concurrency"] = 1  # more would hold 50 MB a part, and ask for the size before every read
    with reaching(text):
        found: UPath = UPath(text, **options)
        found.fs  # noqa: B018 - imports the package of the protocol
    return found


@contextmanager
def reaching(where: object) -> Iterator[None]:
    """Turn any error at the URL `where` into a `StorageError` of one line.

    `FileNotFoundError` is raised as it is.
    """
    try:
        yield
    except (StorageError, FileNotFoundError):
        raise
    except Exception as error:  # every file system has errors of its own
        raise StorageError(f"cannot reach {where}: {_why(error)}{_advice(str(where), error)}") from error


def _why(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())


def _advice(where: str, error: BaseException) -> str:
    s3 = where.partition("://")[0] in S3
    if isinstance(error, ImportError):
        return "; pip install 'slicebench[s3]'" if s3 else ""
    if isinstance(error, ValueError) and not s3:
        return "; expected a path, or a URL that fsspec supports, such as s3://bucket/folder"
    if "redential" in type(error).__name__:
        return f"; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE ({PAGE})"
    if isinstance(error, PermissionError):
        return f"; check the credentials and their permissions ({PAGE})"
    return ""


def read_bytes(path: Location) -> bytes:
    """Return the content of a file.

    Raises `FileNotFoundError` if there is none and `StorageError` if it is not a file.
    """
    if isinstance(path, Path):
        return plain_file(path).read_bytes()
    with reaching(path):
        content: bytes = path.fs.cat_file(path.path)
    return content


def bytes_if_there(path: Location) -> bytes | None:
    """Return the content of a file, or None if there is none."""
    if isinstance(path, Path):
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None


def read_all(folder: UPath, names: Sequence[str]) -> dict[str, bytes]:
    """Return the content of those files `names` of a remote folder that exist, read in parallel."""
    urls = {(folder / name).path: name for name in names}
    if not urls:
        return {}
    with reaching(folder):
        found = folder.fs.cat(list(urls), on_error="return")
        read = {}
        for url, content in found.items():
            if isinstance(content, bytes):
                read[urls[url]] = content
            elif not isinstance(content, FileNotFoundError):
                raise content
    return read


def listed(folder: UPath) -> dict[str, int]:
    """Return the names of the files below a remote folder, with their sizes."""
    with reaching(folder):
        try:
            found = folder.fs.find(folder.path, detail=True)
        except FileNotFoundError:
            return {}
    root = folder.path.rstrip("/") + "/"
    return {path.removeprefix(root): int(about["size"] or 0) for path, about in found.items() if path.startswith(root)}


def send(source: Path, target: UPath) -> None:
    """Upload a file; readers see all of it or nothing."""
    with reaching(target), _bucket_needed(target):
        target.fs.put_file(str(source), target.path)


def send_all(folder: Path, target: UPath, names: Sequence[str]) -> None:
    """Upload the files `names` of a folder, one after the other.

    At most about 200 MB of a file are in memory at a time.
    """
    for name in names:
        send(folder / name, target / name)


def fetch_all(source: UPath, folder: Path, names: Sequence[str]) -> None:
    """Download the files `names` of a remote folder in parallel."""
    for name in names:
        if ".." in Path(name).parts:
            raise StorageError(f"{source} lists the file {name!r}, which is outside that folder")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with reaching(source):
        source.fs.get([(source / name).path for name in names], [str(folder / name) for name in names])


@contextmanager
def _bucket_needed(target: UPath) -> Iterator[None]:
    """Report a missing file as a missing bucket.

    Nothing else can be missing when a file is written.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"cannot write {target}: {_why(error)}; create the bucket, or correct its name") from error


def write_remotely(path: UPath, write: Callable[[Path], object]) -> None:
    """Have `write` fill a local temporary file, then upload it to `path`."""
    with tempfile.TemporaryDirectory(prefix="slicebench-") as folder:
        temporary = Path(folder) / (path.name or "file")
        write(temporary)
        send(temporary, path)
