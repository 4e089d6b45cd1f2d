"""The documentation site: built strictly, then read as a visitor without network would."""

from __future__ import annotations

import html
import importlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

import slicebench
from slicebench.cli import app
from tests.support.paths import ROOT

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FETCHED = {"script", "img", "iframe", "source", "video", "audio", "embed", "object"}
PACKAGES = (
    "discovery",
    "discovery.interop",
    "evaluation.submissions",
    "metrics.slices",
    "metrics.statistics",
    "studies.interventions",
    "studies.sweep",
    "testing",
)
"""What the reference shows of packages whose paths are private."""


class Page(HTMLParser):
    """What a page links to, what it fetches, and the names of its places."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.places = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found[key] for key in ("id", "name") if found.get(key)}
        target = found.get("href") or found.get("src") or found.get("data")
        if target and (tag in FETCHED or (tag == "link" and "stylesheet" in (found.get("rel") or ""))):
            self.fetched.add(target)
        if target:
            self.links.add(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a warning, a dead link between pages, or an error in the notebook fails the build."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", out / ".doctrees"]
    done = subprocess.run([*command, ROOT / "docs", out / "html"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def test_no_link_is_dead(site, pages):
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.is_file():
                dead.append(f"{path.relative_to(site)}: {link}")
            elif parts.fragment and known and unquote(parts.fragment) not in known.places:
                dead.append(f"{path.relative_to(site)}: {link} (no such place)")
    assert not dead, "\n".join(dead)


def test_nothing_is_fetched_from_another_host(site, pages):
    foreign = [f"{path}: {link}" for path, page in pages.items() for link in page.fetched if urlsplit(link).netloc]
    for sheet in site.rglob("*.css"):
        text = sheet.read_text()
        foreign += [
            f"{sheet}: {url}" for url in re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", text)
        ]
    assert not foreign, "\n".join(foreign)


def leaves(group, words=()):
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


def test_every_command_has_a_page(site):
    for words, command in leaves(typer.main.get_command(app)):
        text = (site / "reference" / "commands" / f"{'-'.join(words)}.html").read_text()
        assert f"slicebench {' '.join(words)}" in text
        missing = [
            option for p in command.params for option in p.opts if option.startswith("--") and option not in text
        ]
        assert not missing, f"{words}: {missing}"


def headings(text):
    return [html.unescape(title) for title in re.findall(r"<h3>(.*?)<a ", text)]


def test_a_command_page_has_the_sections_and_metavars_of_its_help(site):
    text = (site / "reference" / "commands" / "discover.html").read_text()
    assert headings(text) == ["Arguments", "Input", "Columns of the table", "Output", "Limits", "Options"]
    assert "slicebench discover [OPTIONS] TABLE\n" in re.sub(r"<[^>]+>", "", text)
    terms = {re.sub(r"<[^>]+>", "", term) for term in re.findall(r"<dt>(.*?)</dt>", text)}
    assert terms >= {"TABLE", "--html FILE", "--seed N", "--method NAME", "--label COLUMN", "--set METHOD.NAME=VALUE"}
    for words, command in leaves(typer.main.get_command(app)):
        text = (site / "reference" / "commands" / f"{'-'.join(words)}.html").read_text()
        context = command.make_context(" ".join(words), [], resilient_parsing=True)
        assert headings(text) == list(command.sections(context)), words
        assert not re.search(r"&lt;(path|text|integer|str|int)&gt;", text), words


def public_names():
    """Public names, what packages export, and the classes that slicebench registers: the paths that each may go by."""
    yield from ([f"slicebench.{name}"] for name in slicebench.__all__ if callable(getattr(slicebench, name)))
    yield from ([f"slicebench.{name}"] for name in ("METHODS", "DATASETS"))
    for package in PACKAGES:
        module = importlib.import_module(f"slicebench.{package}")
        for name, value in ((name, getattr(module, name)) for name in module.__all__):
            if callable(value):
                yield [f"slicebench.{name}", f"slicebench.{package}.{name}", f"{value.__module__}.{name}"]
    for point in distribution("slicebench").entry_points:
        if point.group.startswith("slicebench."):
            yield [f"{point.module}.{point.attr}"]


def test_every_public_name_is_in_the_reference(pages):
    documented = set().union(*(page.places for path, page in pages.items() if path.parent.name == "python"))
    assert not [paths[-1] for paths in public_names() if not documented & {*paths}]


def test_every_environment_variable_is_explained(site):
    text = (site / "reference" / "command-line.html").read_text()
    sources = [
        *(ROOT / "slicebench").rglob("*.py"),
        *(ROOT / "methods").rglob("*.py"),
        *(ROOT / "datasets").rglob("*.py"),
    ]
    used = set().union(*(re.findall(r"\"(SLICEBENCH_[A-Z_]+)\"", path.read_text()) for path in sources))
    assert used >= {"SLICEBENCH_CACHE", "SLICEBENCH_DATA", "SLICEBENCH_DEVICE"}
    assert not [name for name in used if name not in text]


def test_every_page_is_in_the_sidebar(pages, site):
    front = {urlsplit(link).path for link in pages[site / "index.html"].links}
    docs = ROOT / "docs"
    shelves = ("tutorial", "how-to", "concepts", "reference")
    written = [page.relative_to(docs) for shelf in shelves for page in (docs / shelf).glob("*.md")]
    assert len(written) > 20
    missing = [page for page in written if page.with_suffix(".html").as_posix() not in front]
    assert not missing, missing


def test_search_works_without_a_server_or_network(site):
    if sync_playwright is None or not CHROMIUM.exists():
        pytest.skip("there is no browser")
    requests = []
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = chromium.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{(site / 'search.html').as_uri()}?q=kmeans_errors")
        page.wait_for_selector("ul.search li a")
        found = page.locator("ul.search li a").all_text_contents()
        chromium.close()
    assert found
    assert not [url for url in requests if not url.startswith(("file:", "data:"))]
