"""The page of a board: its bytes, and what it does in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    sync_playwright = None

from slicebench.metrics.estimate import Estimate
from slicebench.results.board import CellView
from slicebench.results.numbers import Axis, amount, number
from slicebench.results.page import render
from tests.support.board_example import FAMILIES, METHODS, METRICS, example_board

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HOSTILE = """</script><img src=x onerror="window.hit = 1">'"&<!--"""
DOCS = "docs/reference/discovery-benchmark.md"
RANKED = ["svm_directions", "spotlight", "lff", "domino", "confidence", "early_stopping", "nearest_errors"]


@pytest.fixture(scope="module")
def board():
    return example_board()


@pytest.fixture(scope="module")
def html(board):
    return render(board)


@pytest.fixture(scope="module")
def browser():
    if sync_playwright is None:
        pytest.skip("playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path, html):
    """Open a page; whatever the test does, it may write no error and fetch nothing but its own file."""
    contexts, errors, requests = [], [], []

    def open_page(text=html, *, width=1280, height=900, scheme="light", at="", **options):
        path = tmp_path / "board.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{path.as_uri()}{at}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert {url.split("#")[0] for url in requests if not url.startswith("data:")} == {
        (tmp_path / "board.html").as_uri()
    }


def names(page, body="ranked"):
    return page.locator(f"#methods tbody.{body} tr[data-method]:visible .method").all_inner_texts()


# The file


def test_equal_boards_give_equal_bytes(html):
    assert render(example_board()) == html


def test_a_full_leaderboard_is_small():
    board = example_board(methods=12)
    assert (len(board.problems), len(board.methods)) == (22, 12)
    text = render(board.model_copy(update={"sheets": ()}))
    assert len(text.encode()) < 2e6
    assert all(key in text for key in METRICS)


class Tags(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.attributes += attrs


def test_nothing_is_loaded_and_only_its_own_code_may_run(html):
    found = Tags(html)
    assert not {"link", "iframe", "object", "base", "embed"} & {tag for tag, _ in found.tags}
    assert {a["src"][:10] for tag, a in found.tags if "src" in a} == {"data:image"}
    assert {value for key, value in found.attributes if key == "href" and not value.startswith("#")} == set()
    assert not [key for key, _ in found.attributes if key.startswith("on") or key == "style"]
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        codes = re.findall(f"<{kind}>(.*?)</{kind}>", html, flags=re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in codes]
        allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert f"{kind}-src {allowed};" in policy


def test_the_main_table_is_there_without_a_script(visit, board):
    page = visit(java_script_enabled=False)
    assert names(page) == RANKED
    best = page.locator("#methods tbody.ranked tr").first
    value = board.methods[1].values["namf"]
    assert f"{value.mean:.2f}" in best.inner_text()
    assert f"[{value.low:.2f}, {value.high:.2f}]" in best.inner_text()
    assert page.locator(".panel:visible").count() == 7
    assert page.locator("#filters").is_hidden()


def hostile(board):
    """The board with hostile texts wherever there are texts."""
    text = board.model_dump_json()
    inside = json.dumps(HOSTILE)[1:-1]
    for old in (
        "svm_directions",
        "scenes-rare",
        "digits",
        "the direction in",
        "rare group",
        "blue background",
        "outcomes permuted",
        "sliceline",
        "needs classes",
    ):
        text = text.replace(old, old + inside)
    return type(board).model_validate_json(text)


def test_hostile_texts_stay_texts(visit, board):
    text = render(hostile(board))
    assert not [a for tag, a in Tags(text).tags if tag == "img" and "onerror" in a]
    assert text.count("</script>") == 3
    page = visit(text)
    page.click("#tab-problems")
    page.click("#heat a >> nth=1")
    page.locator(".curves:visible .legend button").first.click()
    page.click("#tab-comparison")
    assert page.evaluate("window.hit") is None
    assert f"svm_directions{HOSTILE}" in page.locator("#comparison").inner_text()


def test_what_is_missing_leaves_no_hole_behind(visit, board):
    bare = board.model_copy(
        update={"controls": None, "discovery": None, "comparison": None, "curves": {}, "sheets": (), "description": ""}
    )
    page = visit(render(bare))
    assert page.locator("#tabs a").all_inner_texts() == ["Overview", "Problems", "Comparison", "About"]
    page.click("#tab-comparison")
    assert page.get_by_text("There is nothing to compare").is_visible()
    page.click("#tab-problems")
    page.click("#heat a >> nth=0")
    assert page.locator("article.problem:visible svg").count() == 0


def test_one_method_without_any_value(visit, board):
    row = board.methods[1].model_copy(
        update={"values": {}, "chance": {}, "rank": None, "rank_without_a_family": None, "wins": None}
        | dict.fromkeys(("seconds", "seconds_per_10k", "fit_seconds", "score_seconds", "training_seconds", "peak_mb"))
    )
    facts = dict.fromkeys(("n_test", "minority_rate", "minority_accuracy", "majority_accuracy"))
    problem = board.problems[0].model_copy(update=facts)
    cell = CellView(status="ok", values={"ap": Estimate(mean=float("nan"))}, by_seed={0: None})
    small = board.model_copy(
        update={
            "methods": (row,),
            "problems": (problem,),
            "cells": {problem.name: {row.name: cell}},
            "controls": None,
            "sheets": (),
        }
        | {"comparison": board.comparison.model_copy(update={"pairs": (), "cliques": (), "resolvable": None})}
    )
    page = visit(render(small))
    assert page.locator("#methods .value").first.inner_text() == "–"
    assert page.get_by_text("No method that is shown has both").is_visible()
    page.goto(page.url + "#problem-scenes-correlation")
    assert page.locator("article.problem:visible h3").inner_text() == "scenes-correlation"


def test_problems_with_like_names_have_links_of_their_own(board):
    twins = [
        p.model_copy(update={"name": name}) for p, name in zip(board.problems, ("a b", "A B", "a-b", "é"), strict=False)
    ]
    text = render(board.model_copy(update={"problems": tuple(twins), "sheets": ()}))
    links = re.findall(r'<article class="problem" id="([^"]+)"', text)
    assert len(set(links)) == 4
    assert links[0] == "problem-a-b"


def test_a_run_says_so(board):
    assert "slicebench run report" in render(board.model_copy(update={"kind": "run"}))


@pytest.mark.parametrize(
    ("value", "text"), [(-0.004, "0.00"), (-0.5, "−0.50"), (None, "–"), (float("nan"), "–"), (1, "1.00")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_axes_hold_everything():
    axis = Axis.over([-0.31, None, 0.5, float("nan")])
    assert (axis.low, axis.high) == (-0.4, 1.0)
    assert Axis.over([1 + 1e-12]).high == 1.0
    assert (axis(-0.4), axis(0.3), axis(1.0)) == ("0.00%", "50.00%", "100.00%")
    assert amount(1234.5) == "1,234"


# In the browser


def test_sorting_by_mouse_and_keyboard(visit):
    page = visit()
    header = page.locator("#methods th", has_text="s per 10,000")
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert page.locator("#methods th[aria-sort]").count() == 1
    by_time = sorted(RANKED, key=lambda name: METHODS[name][1])
    assert names(page) == by_time
    page.keyboard.press("Enter")
    assert names(page) == by_time[::-1]
    page.locator("#methods th.name button").focus()
    page.keyboard.press("Space")
    assert names(page) == sorted(RANKED)
    assert (names(page, "incomplete"), names(page, "reference")) == (["metadata_tree"], ["oracle", "random"])


def test_missing_values_sort_last_in_both_directions(visit):
    page = visit()
    page.select_option("[name=metric]", "flagged_recall")
    have = {"svm_directions", "early_stopping"}
    assert set(names(page)[:2]) == have
    page.click("#methods th.metric button")
    assert page.locator("#methods th.metric").get_attribute("aria-sort") == "ascending"
    assert set(names(page)[:2]) == have


def test_another_metric_repaints_tables_and_chart(visit, board):
    page = visit()
    page.select_option("[name=metric]", "auroc")
    value = board.methods[1].values["auroc"]
    row = page.locator("#methods tr", has_text="svm_directions")
    assert row.locator("td.metric .value").inner_text() == f"{value.mean:.2f}"
    assert row.locator("td.chance").inner_text().strip() == "0.50"
    assert "mean AUROC" in page.locator("#cost-chart svg").text_content()
    page.click("#tab-problems")
    cell = page.locator("#heat tr", has_text="scenes-rare").first.locator("td").first
    expected = board.cells["scenes-rare"]["svm_directions"].values["auroc"].mean
    assert cell.inner_text() == f"{expected:.2f}"
    assert cell.get_attribute("data-heat") == str(int(expected * 9))
    page.select_option("[name=metric]", "hit_at_1")
    assert page.locator("#heat tr", has_text="gaussian-ring").locator("td").first.inner_text() == "–"
    page.click("#tab-overview")
    assert "p 1e-8" in row.inner_text()
    page.click("text=Reset")
    expect(page.locator(".metric-label").first).to_have_text("nAMF")


def test_script_and_template_paint_the_same(visit):
    """Choosing another metric and going back changes nothing."""
    page = visit()
    read = lambda: page.evaluate(
        "[...document.querySelectorAll('#methods td, #heat td')].map(c => c.innerText + (c.dataset.heat ?? ''))"
    )
    marks = lambda: page.evaluate(
        "[...document.querySelectorAll('#methods :is(.dot, .whisker)')]"
        ".flatMap(e => ['cx', 'x1', 'x2'].map(k => parseFloat(e.getAttribute(k) ?? 0)))"
    )
    texts, places = read(), marks()
    page.select_option("[name=metric]", "mrr")
    assert read() != texts
    page.select_option("[name=metric]", "namf")
    assert read() == texts
    assert marks() == pytest.approx(places, abs=0.02)


def test_filters_hide_and_say_that_nothing_is_recomputed(visit):
    page = visit()
    best = page.locator("#methods tbody.ranked tr").first.inner_text()
    for word in ("inputs", "probs", "metadata", "losses", "trainer"):
        page.uncheck(f"[name=needs][value={word}]")
    assert names(page) == ["svm_directions", "nearest_errors"]
    assert page.get_by_text("Not ranked: cells are missing").is_hidden()
    assert page.locator("#methods tbody.ranked tr").first.inner_text() == best
    assert page.locator("#cost-chart g[data-method]").count() == 2
    page.select_option("[name=modality]", "text")
    status = page.locator("#status").inner_text()
    assert "4 of 10 methods, 5 of 22 problems" in status
    assert "means, intervals and ranks remain" in status
    page.click("#tab-problems")
    assert page.locator("#heat tr[data-problem]:visible").count() == 5
    assert page.locator("#heat .divider:visible").all_inner_texts() == ["madlibs", "madrigals"]
    page.select_option("[name=family]", "madlibs")
    assert page.locator("#heat tr[data-problem]:visible").count() == len(FAMILIES["madlibs"][1])
    page.click("text=Reset")
    expect(page.locator("#heat tr[data-problem]:visible")).to_have_count(22)
    page.fill("[name=search]", "SPOT")
    page.click("#tab-overview")
    assert names(page) == ["spotlight"]


def test_tabs_by_mouse_arrows_and_link(visit):
    page = visit()
    shown = lambda: page.locator(".panel:visible").evaluate_all("all => all.map(one => one.id)")
    assert shown() == ["overview"]
    page.click("#tab-controls")
    assert shown() == ["controls"]
    page.keyboard.press("ArrowRight")
    assert shown() == ["discovery"]
    assert page.evaluate("document.activeElement.id") == "tab-discovery"
    assert page.locator("[aria-selected=true]").all_inner_texts() == ["Discovery on planted causes"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert shown() == ["overview"]
    assert page.url.endswith("#overview")
    assert page.locator("#filters").is_visible()
    assert shown_at(visit, "#comparison") == ["comparison"]


def shown_at(visit, at):
    return visit(at=at).locator(".panel:visible").evaluate_all("all => all.map(one => one.id)")


def test_a_problem_opens_by_click_enter_and_link(visit, board):
    page = visit(at="#problems")
    page.click("#heat a:text-is('scenes-rare')")
    article = page.locator("article.problem:visible")
    expect(article.locator("h3")).to_have_text("scenes-rare")  # the page follows its address in an event of its own
    expect(page.locator("#heat")).to_be_hidden()
    text = article.inner_text()
    assert board.problems[1].how in text
    assert "metadata_tree skipped: needs metadata columns" in text
    assert "2 of 4 classes have fewer than 10 errors." in text
    assert article.locator(".captions .hit").count() > 0
    by_seed = board.cells["scenes-rare"]["spotlight"].by_seed
    row = article.locator("tr", has_text="spotlight")
    assert [f"{v:.2f}".replace("-", "−") for v in by_seed.values()] == row.locator("td").all_inner_texts()[-5:]
    page.go_back()
    expect(page.locator("#heat")).to_be_visible()
    page.locator("#heat a:text-is('gaussian-ring')").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article.problem:visible h3")).to_have_text("gaussian-ring")
    page.click("article.problem:visible >> text=Next")
    expect(page.locator("article.problem:visible h3")).to_have_text("gaussian-rotated")
    assert visit(at="#problem-madlibs-length").locator("article.problem:visible h3").inner_text() == "madlibs-length"


def test_curves_show_every_method_and_hide_on_demand(visit):
    page = visit(at="#problem-gaussian-linear")
    chart = page.locator("article.problem:visible .curves")
    assert chart.locator("div.chart g[data-method]").count() == 10
    looks = chart.locator("div.chart path.line").evaluate_all(
        "all => all.map(p => getComputedStyle(p).stroke + p.getAttribute('stroke-dasharray'))"
    )
    assert len(set(looks)) == 10
    first = chart.locator(".legend button", has_text="spotlight")
    first.hover()
    faded = "all => all.filter(g => !g.classList.contains('hot')).length"
    assert chart.locator("div.chart.hot g[data-method]").evaluate_all(faded) == 9
    first.click()
    assert chart.locator("div.chart g[data-method]").count() == 9
    assert first.get_attribute("aria-pressed") == "false"
    page.keyboard.press("Enter")
    assert chart.locator("div.chart g[data-method]").count() == 10
    assert "among the hardest 20 %" in chart.locator("div.chart").text_content()


def test_labels_of_the_cost_chart_do_not_overlap(visit):
    page = visit()
    boxes = [box.bounding_box() for box in page.locator("#cost-chart g[data-method] text").all()]
    assert len(boxes) == len(RANKED)
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            assert apart or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]


def test_comparison_draws_cliques_and_pairs(visit, board):
    page = visit(at="#comparison")
    found = board.comparison
    assert page.locator(".clique").count() == len(found.cliques)
    order = page.locator(".cd-names li .method").all_inner_texts()
    for clique, line in zip(found.cliques, page.locator(".clique").all(), strict=True):
        box = line.bounding_box()
        rows = page.locator(".cd-names li").all()
        centres = {
            name: (b := row.bounding_box())["y"] + b["height"] / 2 for name, row in zip(order, rows, strict=True)
        }
        assert {name for name, y in centres.items() if box["y"] < y < box["y"] + box["height"]} == set(clique)
    apart = sum(pair.p_holm < 0.05 for pair in found.pairs)
    assert page.locator(".matrix td.apart").count() == 2 * apart
    page.click("text=All 21 pairs")
    assert page.locator(".pairs tr.apart").count() == apart
    assert f"interval is {found.resolvable:.2f} nAMF in the median" in page.locator("#comparison").inner_text()


def test_controls_show_both_views(visit):
    page = visit(at="#controls")
    assert page.locator(".card").count() == 7
    clean = page.locator(".card").first
    assert clean.locator("line.alpha").count() == 9
    assert clean.locator(".dot.open").count() == 9
    power = page.locator(".card", has_text="Power")
    assert power.locator("line.alpha").count() == 0


def finders(page):
    return page.locator("#finders tbody th > :first-child").all_text_contents()


def test_finders_on_planted_causes_can_be_sorted(visit):
    page = visit(at="#discovery")
    assert finders(page) == ["discover", "sliceline@3", "sliceline", "cleanlab"]
    assert page.locator("#finders tr", has_text="sliceline@3").locator(".idea").inner_text() == "alpha 0.95, k 10"
    page.locator("#finders button", has_text="false per table").click()
    assert finders(page) == ["discover", "cleanlab", "sliceline", "sliceline@3"]
    page.locator("#finders button", has_text="nulls with a slice").click()
    assert finders(page) == ["discover", "sliceline", "sliceline@3", "cleanlab"]
    said = page.locator("#discovery").inner_text()
    assert "cleanlab has no result on 11 of 41: needs classes (5); not measured (6)." in said
    assert page.locator("#discovery code", has_text=DOCS).count() == 1


def test_theme_can_be_chosen(visit):
    page = visit(scheme="light")
    background = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = background()
    page.click("#theme")
    assert background() == light
    page.click("#theme")
    assert page.locator("#theme").inner_text() == "Theme: dark"
    dark = background()
    assert dark != light
    page.reload()
    assert background() == dark


@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_no_page_scrolls_sideways(visit, width):
    page = visit(width=width)
    for at in (
        "overview",
        "problems",
        "problem-scenes-rare",
        "comparison",
        "controls",
        "discovery",
        "examples",
        "about",
    ):
        page.goto(page.url.split("#")[0] + f"#{at}")
        expect(page.locator(f"#{at}")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, at


def test_on_a_phone_sections_follow_one_another(visit):
    page = visit(width=390, height=844, has_touch=True)
    assert page.locator(".panel:visible").count() == 7
    assert page.locator("[role=tab]").count() == 0
    page.tap("#tab-comparison")
    expect(page.locator("#head-comparison")).to_be_in_viewport()
    sticky = page.locator("#methods tbody.ranked th").first
    page.evaluate("document.querySelector('#overview .scroll').scrollLeft = 300")
    assert 0 <= sticky.bounding_box()["x"] < 40


CONTRAST = """
() => {
  const parse = (text) => { const v = text.match(/[\\d.]+/g).map(Number); return { rgb: v.slice(0, 3), alpha: v[3] ?? 1 }; };
  const light = ({ rgb }) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (e) => {
    for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.alpha === 1) return c; }
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, title, option")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(e.closest("svg") ? style.fill : style.color)), light(background(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className}: ${texts.currentNode.data.trim()} ${ratio.toFixed(2)}`);
  }
  return poor;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_background(visit, scheme):
    page = visit(scheme=scheme)
    for at in ("overview", "problems", "problem-scenes-rare", "comparison", "controls", "discovery", "about"):
        page.goto(page.url.split("#")[0] + f"#{at}")
        expect(page.locator(f"#{at}")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate(CONTRAST) == [], at


def test_one_seed_has_no_intervals(visit, board):
    text = re.sub(
        r'"low":[-0-9.e]+,"high":[-0-9.e]+,"behind"', '"low":null,"high":null,"behind"', board.model_dump_json()
    )
    page = visit(render(type(board).model_validate_json(text)))
    assert page.locator("#methods td.metric .interval").all_inner_texts() == [""] * 10
    assert page.locator("#methods tbody.ranked .behind").all_inner_texts()[:3] == ["", "", "↓"]
    page.select_option("[name=metric]", "auroc")
    page.select_option("[name=metric]", "namf")
    assert page.locator("#methods td.metric .interval").all_inner_texts() == [""] * 10
    assert page.locator("#cost-chart .whisker").count() == 0
    assert page.locator("#cost-chart path.mark").count() == len(RANKED)
