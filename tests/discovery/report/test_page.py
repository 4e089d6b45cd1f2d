"""The report page of `discover`: complete without its script, closed to the network, with the right numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slicebench.discovery import discover
from slicebench.discovery.report.contrasts import columns_of, contrasts_of
from slicebench.discovery.report.vector_map import MOST_POINTS, map_of
from slicebench.results.page.html import asset, digest

HOSTILE = "<script>alert(1)</script> \"'&"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PARTS = (("article.slice", "one.id"), (".overview tr[data-key]", "one.dataset.key"))
VOID = {"meta", "img", "input", "br", "rect", "line", "path"}


def clinic(n=1500, seed=0, cat="cat"):
    """Two classes; the model is wrong at .6 for the old in the east, at .05 elsewhere."""
    rng = np.random.default_rng(seed)
    age, site = rng.integers(18, 90, n), rng.choice(["east", "west", "north"], n)
    hard = (age > 50) & (site == "east")
    y, wrong = rng.integers(2, size=n), rng.random(n) < np.where(hard, 0.6, 0.05)
    names = np.array([cat, "dog"])
    return pd.DataFrame(
        {
            "id": [f"row-{i}" for i in range(n)],
            "age": age,
            "site": site,
            "noise": rng.normal(size=n),
            "label": names[y],
            "prediction": names[y ^ wrong],
        }
    )


class Tags(HTMLParser):
    """Collects elements, and checks that each is closed in its turn."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag, **attrs):
        return [a for name, a in self.seen if name == tag and attrs.items() <= a.items()]


@pytest.fixture(scope="module")
def found():
    return discover(clinic())


@pytest.fixture(scope="module")
def page(found):
    return found.to_html()


def test_the_page_shows_facts_slices_and_examples(found, page):
    (one,) = found.standing
    tags = Tags(page)
    assert [a["id"] for a in tags.of("article")] == ["S1"]
    assert f"{100 * one.verdict.rate:.1f}%" in page
    assert f"{100 * found.facts.rate:.1f}%" in page
    assert f"{len(one.folds)} of 5 folds found it" in page
    assert re.search(r"<code[^>]*>" + re.escape(one.query.replace(">", "&gt;").replace("'", "&#39;")), page)
    assert found.table.query(one.query).index.tolist() == sorted(one.rows.tolist())
    for title in (
        "Error rate by class",
        "Significant slices",
        "Methods",
        "Columns of the table",
        "How to read this page",
    ):
        assert f">{title}</h2>" in page
    assert "Vovk and Wang 2020" in page
    assert "Fisher" in page
    assert page.count("taken for") == len(one.errors)
    assert "18 more</summary>" in page
    wrong = int(found.examples.wrong[one.rows].sum())
    assert f">24 of {wrong} examples</span>" in page
    assert page.index("row-" + str(one.errors[0])) < page.index("18 more</summary>")


def test_nothing_leaves_the_page_and_only_its_own_script_runs(page):
    tags = Tags(page)
    policy = tags.of("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert policy.startswith("default-src 'none';")
    assert f"script-src '{digest(script)}'" in policy
    assert f"style-src '{digest(style)}'" in policy
    assert "unsafe" not in policy
    assert page.count("<script") == 1
    for _, attrs in tags.seen:
        assert not any(name.startswith("on") or name == "style" for name in attrs)
        assert attrs.get("href", "#").startswith("#")
        assert attrs.get("src", "data:").startswith("data:")
    assert "http://" not in page
    assert "https://" not in page
    assert len(asset("findings.js", "slicebench.discovery").splitlines()) < 120


def test_every_label_has_its_target(page):
    tags = Tags(page)
    ids = [attrs["id"] for _, attrs in tags.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in tags.seen:
        assert attrs.get("aria-labelledby", ids[0]) in ids
        assert attrs.get("href", "#" + ids[0])[1:] in ids
    assert all("alt" in attrs for attrs in tags.of("img"))


def test_equal_findings_give_equal_bytes(found, page):
    assert discover(clinic()).to_html() == page == found.to_html()
    assert discover(clinic(), seed=1).to_html() != page


def test_hostile_names_and_values_are_text():
    table = clinic(cat=HOSTILE)
    table["site"] = table["site"].replace("east", HOSTILE)
    table["id"] = HOSTILE + table["id"]
    found = discover(table.rename(columns={"noise": HOSTILE}))
    assert found.standing
    for text in (found.to_html(), found._repr_html_()):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        Tags(text)


def test_columns_that_tell_a_slice_apart(found):
    (one,) = found.standing
    columns = columns_of(found.examples.metadata)
    contrasts = {c.name: c for c in contrasts_of(one.rows, columns, found.examples)}
    assert set(contrasts) == {"age", "site"}
    east = contrasts["site"].bars[0]
    others = np.setdiff1d(np.arange(found.examples.n), one.rows)
    assert (east.label, east.inside) == ("east", 1.0)
    assert east.outside == pytest.approx((found.table["site"].iloc[others] == "east").mean())
    age = contrasts["age"]
    assert age.measured
    assert age.ends == ("18", "89")
    assert sum(bar.inside for bar in age.bars) == pytest.approx(1)
    assert sum(bar.outside for bar in age.bars) == pytest.approx(1)
    inside, rest = found.table["age"].iloc[one.rows].median(), found.table["age"].iloc[others].median()
    assert age.said == f"median {inside:.4g}, rest {rest:.4g}"


def test_contrasts_of_dates_spans_flags_and_missing_values(found):
    n = found.examples.n
    members = np.arange(300)
    inside = np.arange(n) < 300
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, n) + 200 * inside, unit="D")
    metadata = pd.DataFrame(
        {
            "day": day,
            "zone": pd.Series(day).dt.tz_localize("Europe/Rome"),
            "wait": pd.to_timedelta(rng.integers(0, 100, n) + 500 * inside, unit="s"),
            "flag": inside,
            "gone": np.where(inside, np.nan, rng.normal(size=n)),
            "some": np.where(inside & (rng.random(n) < 0.5), np.nan, 3.0),
            "word": pd.Series(np.where(inside, None, "x"), dtype=object),
            "whole": pd.array(np.where(inside, 1, 2), dtype="Int64"),
            "endless": np.where(inside, np.inf, rng.normal(size=n)),
            "empty": np.nan,
        }
    )
    columns = columns_of(metadata)
    contrasts = {
        name: contrasts_of(members, [column], found.examples) for name, column in zip(metadata, columns, strict=True)
    }
    assert contrasts.pop("empty") == ()
    said = {name: one[0] for name, one in contrasts.items()}
    assert all(re.fullmatch(r"2024-\d\d-\d\d", end) for end in said["day"].ends)
    assert said["zone"].said.startswith("median 2024-0")
    assert said["wait"].said.startswith("median 0:09:")
    assert {bar.label for bar in said["flag"].bars} == {"True", "False"}
    for name in ("gone", "endless"):
        assert [(b.label, b.inside, b.outside) for b in said[name].bars] == [("known", 0, 1), ("missing", 1, 0)]
    assert "missing 5" in said["some"].said
    assert said["word"].bars[0].label == "x"
    assert said["whole"].ends == ("1", "2")
    for one in said.values():
        assert "nan" not in "".join(one.paths)


def test_the_map_keeps_members_and_is_bounded(found):
    drawn = map_of(found)
    (one,) = found.standing
    inside, rest = drawn.slices["S1"], drawn.rest
    assert (inside.right + inside.wrong).count("M") == one.size
    assert sum(d.count("M") for d in (inside.right, inside.wrong, rest.right, rest.wrong)) == found.examples.n
    assert inside.wrong.count("M") == int(found.examples.wrong[one.rows].sum())
    large = discover(clinic(6000))
    drawn = map_of(large)
    assert drawn.shown == MOST_POINTS
    assert (drawn.slices["S1"].right + drawn.slices["S1"].wrong).count("M") == large.standing[0].size
    assert len(large.to_html()) < 1_500_000
    assert map_of(replace(found, slices=())) is None


def test_one_column_is_a_map_too():
    found = discover(clinic()[["age", "label", "prediction"]].assign(age=lambda t: t["age"] // 10))
    assert "first principal axis of" in replace(found, slices=_forced(found)).to_html()


def _forced(found):
    """Slices as they are, the first of them significant; a made one if there are none."""
    if found.slices:
        first = found.slices[0]
        return (replace(first, verdict=replace(first.verdict, stands=True)), *found.slices[1:])
    model = discover(clinic()).standing[0]
    return (replace(model, rows=np.arange(50), errors=np.arange(5), right=np.arange(5, 9), rule=None),)


def test_controls_are_there_for_several_slices_only(found, page):
    (one,) = found.standing
    assert not Tags(page).of("form")
    assert not Tags(page).of("button", **{"class": "hide needs-js"})
    other = replace(one, key="S2", class_name="dog", verdict=replace(one.verdict, class_number=1, p_holm=0.01))
    tags = Tags(replace(found, slices=(one, other)).to_html())
    assert [a.get("data-class") for a in tags.of("article")] == ["all", "1"]
    assert [a.get("value") for a in tags.of("option")][-3:] == ["", "all", "1"]
    assert len(tags.of("button", **{"class": "hide needs-js"})) == 2


def test_without_a_slice_the_facts_remain(found):
    nothing = replace(found, slices=())
    page = nothing.to_html()
    Tags(page)
    assert "Error rate by class" in page
    assert "Significant slices" not in page
    assert 'class="map"' not in page
    fallen = replace(found, slices=(replace(found.slices[0], verdict=replace(found.slices[0].verdict, stands=False)),))
    assert "<summary>Tested slices that are not significant (1)</summary>" in fallen.to_html()
    assert "<article" not in fallen.to_html()


def test_many_classes_are_folded():
    rng = np.random.default_rng(0)
    y = rng.integers(14, size=2000)
    wrong = rng.random(2000) < np.where(y == 3, 0.6, 0.1)
    table = pd.DataFrame({"label": y, "prediction": np.where(wrong, (y + 1) % 14, y), "x": rng.normal(size=2000)})
    page = discover(table.astype({"label": str, "prediction": str})).to_html()
    assert "<summary>4 more classes</summary>" in page
    assert "Significantly worse than the other classes: <b>3</b>" in page
    assert "Commonest confusions" in page


def test_a_regression_is_told_by_its_errors():
    rng = np.random.default_rng(0)
    size, truth = rng.normal(size=1500), rng.normal(50, 10, 1500)
    error = np.where(size > 1.2, 12, 0) + rng.normal(0, 3, 1500)
    found = discover(pd.DataFrame({"size": size, "y_true": truth.round(2), "y_pred": (truth - error).round(2)}))
    assert found.standing
    page = found.to_html()
    row = int(found.standing[0].errors[0])
    said, true = (f"{found.table[name][row]:.4g}" for name in ("y_pred", "y_true"))
    assert f"<td>{said} for {true} (−" in page
    assert "bias: mean of prediction minus truth" in page
    assert "rank-sum test" in page
    assert "excess errors" not in page
    assert "bias −" in found._repr_html_()
    Tags(page)


def test_rows_that_the_table_keeps_for_testing_are_the_only_fold():
    table = clinic(2000).assign(split=np.where(np.arange(2000) % 2, "test", "train"))
    page = discover(table, split="split").to_html()
    assert "The table says which rows are for testing." in page
    assert "tested on the held-out rows" in page
    assert "Vovk" not in page


def test_images_and_texts_are_tiles(found):
    (one,) = found.standing
    pictures = np.random.default_rng(0).integers(0, 256, (found.examples.n, 8, 8, 3), dtype=np.uint8)
    pictured = replace(found, examples=replace(found.examples, kind="image", inputs=pictures))
    shown = Tags(pictured.to_html()).of("img")
    assert len(shown) == len(one.errors) + 12
    assert all(a["src"].startswith("data:image/png;base64,") for a in shown)
    texts = ["word " * 200] * found.examples.n
    told = replace(found, examples=replace(found.examples, kind="text", inputs=texts)).to_html()
    assert re.search(r'<blockquote dir="auto">(word )+word…</blockquote>', told)


def test_large_images_are_made_small(found):
    large = np.random.default_rng(0).integers(0, 256, (found.examples.n, 1, 1, 3), dtype=np.uint8)
    large = np.broadcast_to(large.repeat(2, axis=1), (found.examples.n, 2, 2, 3))
    noise = np.random.default_rng(1).integers(0, 256, (400, 300, 3), dtype=np.uint8)

    class Inputs:
        def __getitem__(self, i):
            return noise if i == int(found.standing[0].errors[0]) else large[i]

    page = replace(found, examples=replace(found.examples, kind="image", inputs=Inputs())).to_html()
    assert page.count("data:image/jpeg") == 1
    assert len(page) < 500_000


def test_the_summary_of_a_notebook_is_short(found):
    summary = found._repr_html_()
    Tags(summary)
    assert found.verdict in summary
    assert "1,500 examples, error rate" in summary
    assert summary.count("<tr>") == 2 + 5
    assert "<style" not in summary
    assert "<script" not in summary


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("there is no browser")
    with sync_api.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def report(found, tmp_path):
    (one,) = found.standing
    verdict = replace(one.verdict, class_number=1, rate=0.9, size=100)
    other = replace(
        one, key="S2", class_name="dog", verdict=verdict, name=replace(one.name, rule=None), label="a region"
    )
    path = tmp_path / "page.html"
    replace(found, slices=(one, other)).to_html(path)
    return path.as_uri()


def test_slices_are_sorted_filtered_hidden_and_marked(browser, report):
    page, told = browser.new_page(), []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url) if request.url != report else None)

    def shown():
        return [
            page.eval_on_selector_all(f"{what}:not([hidden])", f"all => all.map(one => {key})") for what, key in PARTS
        ]

    page.goto(report)
    assert shown() == [["S1", "S2"]] * 2
    page.select_option("[name=sort]", "rate")
    assert shown() == [["S2", "S1"]] * 2
    page.select_option("[name=class]", "1")
    assert shown() == [["S2"]] * 2
    page.click("[type=reset]")
    # a reset form tells its listeners in a later task; an expression to wait for would be evaluated, which the page forbids
    page.locator("article.slice:not([hidden])").nth(1).wait_for()
    page.fill("[name=text]", "REGION")
    assert shown() == [["S2"]] * 2
    page.fill("[name=text]", "")
    page.click("#S1 .hide")
    assert shown() == [["S2"]] * 2
    assert page.text_content("[role=status]") == "1 of 2 slices shown"
    page.click("[data-key=S2] .mark")
    assert page.get_attribute("tr[data-key=S2] .mark", "aria-pressed") == "true"
    assert "hot" in page.get_attribute(".map g[data-key=S2]", "class")
    assert not [text for text in told if not text.startswith("data:")]
    page.close()


@pytest.mark.parametrize("width", [320, 390, 1280, 2560])
def test_the_page_fits_the_screen_and_needs_no_script(browser, report, width):
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script, viewport={"width": width, "height": 900})
        page = context.new_page()
        page.goto(report)
        assert page.locator("article.slice").count() == 2
        assert page.locator("#S2 .facts").is_visible()
        assert page.locator("form.controls").is_visible() == script
        right = page.locator("body").evaluate("() => document.documentElement.scrollWidth")
        assert right == width
        context.close()
