"""The pages: nothing lost, nothing let in, nothing fetched; opened in a browser where there is one."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bncheck.batch import generate
from bncheck.checks.gradients import check_gradients
from bncheck.checks.stress import stress
from bncheck.checks.suite import check_layer
from bncheck.checks.sweep import sweep
from bncheck.checks.trace import trace
from bncheck.checks.walking import with_graph
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.findings.catalogue import CATALOGUE
from bncheck.findings.explaining import contents, explain
from bncheck.grid import Grid
from bncheck.layers.resolve import resolve
from bncheck.render import Look, Result, as_html, joined
from bncheck.render.document import Code, Found, Table, document
from bncheck.settings import LayerSettings
from tests.golden import golden
from tests.test_render import REPORTS
from tests.wrong import DX, WrongLayer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

LAYERS = Path(__file__).parent / "layers"
ALONE = {"meta", "img", "br", "hr", "link", "input"}  # HTML's elements without an end
BATCH = generate(16, 4)
WRONG = WrongLayer("wrong", DX["variance path lost"])
HOSTILE = "<script>alert('1')</script> \" onload=x $\\frac$ \u202e\x1b[0m &amp;.py"
LOOK = Look()


def page_of(result: Result) -> str:
    return as_html.render(result, LOOK)


def results() -> dict[str, Result]:
    wrong = check_gradients(BATCH, WRONG, entries=True)
    right = check_gradients(BATCH, entries=True)
    two = resolve(str(LAYERS / "course_18.py")).layers[0]
    return {
        "right": with_graph(right, BATCH, None, LayerSettings()),
        "wrong": with_graph(wrong, BATCH, WRONG, LayerSettings()),
        "blind": check_gradients(generate(1, 4), entries=True),
        "sections": check_layer(two, BATCH, entries=True),
        "trace": trace(BATCH, two),
        "values": trace(generate(4, 2), values=True),
        "sweep": sweep(BATCH, dtypes=["float64"]),
        "stress": stress(str(LAYERS / "course_18.py"), Grid(scale=(1.0,), n=(2, 16))),
        "one code": explain("BN101"),
        "all codes": contents(),
        "hostile": wrong._replace(implementation=HOSTILE),
    }


RESULTS = results()
PAGES = {name: page_of(result) for name, result in RESULTS.items()}
PAGES["several layers"] = str(joined("html", [PAGES["wrong"], PAGES["sections"], PAGES["right"]]))
each_page = pytest.mark.parametrize("name", PAGES)


class Read(HTMLParser):
    """A page as a strict reader has it: what is opened is closed, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), attrs
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> is for SVG"
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


# ---- what is in it ----


@each_page
def test_a_page_is_well_formed(name: str) -> None:
    page = PAGES[name]
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    read = Read(page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = [attributes["href"] for attributes in read.all("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert all(link.startswith("#") for link in links)
    assert len(read.all("h1")) == (3 if name == "several layers" else 1)
    assert len(read.all("main")) == len(read.all("title")) - page.count("<title>Batch") == 1
    assert all(cell.get("scope") in ("col", "row") for cell in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))


@pytest.mark.parametrize("broken", ["<p><b></p></b>", "<p>", "</p>", "<p/>", '<p id="a" id="b"></p>'])
def test_the_reader_sees_what_is_not_well_formed(broken: str) -> None:
    with pytest.raises(AssertionError):
        Read(broken)


@each_page
def test_a_page_asks_for_nothing_and_runs_nothing(name: str) -> None:
    read = Read(PAGES[name])
    assert not {tag for tag, _ in read.elements} & {"script", "link", "iframe", "object", "embed", "form", "base"}
    for _, attributes in read.elements:
        assert not [key for key in attributes if key.startswith("on") or key in ("srcdoc", "action", "srcset")]
        assert attributes.get("src", "data:").startswith("data:image/svg+xml;base64,") or "src" not in attributes
    assert "url(" not in PAGES[name].replace("url(#", "")
    assert "@import" not in PAGES[name]
    policy = read.all("meta")[1]
    assert policy == {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}  # noqa: E501  # fmt: skip


@pytest.mark.parametrize("name", [name for name in RESULTS if name != "hostile"])
def test_nothing_that_the_others_say_is_lost(name: str) -> None:
    said = squeezed(Read(PAGES[name]).text)
    content = document(RESULTS[name], verbose=True)
    parts = [content.heading]
    for block in content.blocks:
        if isinstance(block, Table):
            parts += [block.note, *block.header, *(cell for row in block.rows for cell in row)]
        elif isinstance(block, Found):
            parts += [block.title, block.evidence, block.mend]
        elif isinstance(block, Code):
            parts += [block.label, block.lines]
        elif isinstance(block, str):
            parts.append(block)
    assert len(parts) > 3
    for part in parts:
        assert squeezed(part) in said


@pytest.mark.parametrize("name", ["right", "wrong", "blind", "sections", "trace", "stress"])
def test_the_verdict_comes_first_and_once(name: str) -> None:
    result: Any = RESULTS[name]
    start = re.search(r"</h1>\n<p class=\"verdict (\w+)\"><strong class=\"(\w+)\">(\w+)</strong>: ", PAGES[name])
    assert start
    assert set(start.groups()) == {result.verdict.value}
    summary = str(document(result, verbose=True).blocks[-1 if name in ("stress", "trace") else -2])
    assert squeezed(Read(PAGES[name]).text).count(squeezed(summary)) == 1


def test_a_finding_has_the_catalogue_folded_beneath_it() -> None:
    finding = PAGES["wrong"].split('<section class="finding error">', 1)[1].split("</section>", 1)[0]
    for words in ("BN101 ", "Mend: ", "<details>", "def variance_path_lost(", "Wrong:", "Right:", "def dx("):
        assert words in re.sub(r"</?a\b[^>]*>", "", finding)
    assert PAGES["wrong"].count('id="BN101"') == 1
    convention = PAGES["sections"].split('<section class="finding note">', 1)[1].split("</section>", 1)[0]
    assert "BN407" in convention


def test_every_code_that_is_named_is_explained_once() -> None:
    read = Read(PAGES["blind"])
    named = {link["href"] for link in read.all("a")}
    assert len(named) > 5
    assert len(read.all("details")) == len(named)
    codes = {attributes["id"] for attributes in Read(PAGES["all codes"]).all("div") if "id" in attributes}
    assert codes == set(CATALOGUE)
    assert 'id="BN101"' not in PAGES["one code"]


def test_nothing_of_the_user_becomes_markup() -> None:
    page = PAGES["hostile"]
    assert "<script" not in page
    read = Read(page)
    shown = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")
    assert squeezed(shown) in squeezed(read.text)
    assert not any(character in page for character in "\u202e\x1b")
    column = Table((HOSTILE, HOSTILE), ((HOSTILE, HOSTILE),), HOSTILE, caption=HOSTILE, letters=(1,))
    for block in (HOSTILE, column, replace_letters(column), Code(HOSTILE, HOSTILE)):
        lines = as_html._Page(set(), []).block(block)
        assert "script" not in {tag for tag, _ in Read("".join(lines)).elements}


def replace_letters(table: Table) -> Table:
    return table._replace(letters=())


def test_several_layers_are_one_page() -> None:
    read = Read(PAGES["several layers"])
    assert len(read.all("article")) == 3
    assert len(read.all("main")) == 1
    assert {"BN101", "2-BN301"} <= {attributes.get("id", "") for attributes in read.all("div")}
    assert 'marker-end="url(#3-forward)"' in PAGES["several layers"]


# ---- pictures ----


def test_a_failed_check_marks_its_node_in_the_graph() -> None:
    graph = PAGES["wrong"].split("<summary>The graph</summary>", 1)[1]
    assert "square (differs first)" in graph
    assert "<details open>" in PAGES["wrong"]
    assert "<details open>" not in PAGES["right"]
    assert "differs first" not in PAGES["right"]


def test_a_graph_that_would_take_long_is_left_to_trace() -> None:
    large = generate(2000, 2)
    report = check_gradients(generate(4, 2))
    assert with_graph(report, large, None, LayerSettings()) is report
    assert with_graph(report, generate(4, 2), None, LayerSettings()).graph is not None


def test_pictures_are_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_html, "find_spec", lambda name: None)
    for name in ("wrong", "sweep"):
        page = page_of(RESULTS[name])
        assert "<img" not in page
        assert page.count("which is not installed: pip install &#x27;bncheck[plot]&#x27;") == 1
    assert page.count("<pre>dx, float64: relative error against relative step") == 1
    assert "installed" not in page_of(check_gradients(BATCH))


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="Matplotlib is not installed")
def test_pictures_are_in_the_page() -> None:
    for name, count in {"right": 1, "wrong": 1, "sections": 1, "sweep": 1, "trace": 0, "several layers": 3}.items():
        images = Read(PAGES[name]).all("img")
        assert len(images) == count
        assert all(image["alt"] for image in images)


# ---- the commands ----


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["grad"], Exit.PASS),
        (["grad", "--impl", str(LAYERS / "readme_layers.py:batchnorm_forward")], Exit.FAIL),
        (["check", str(LAYERS / "readme_layers.py")], Exit.FAIL),
        (["trace"], Exit.PASS),
        (["sweep", "--n", "8", "--d", "2"], Exit.PASS),
        (["stress", "--dtype", "float64", "--n", "4", "--d", "1"], Exit.PASS),
        (["explain", "BN101"], Exit.PASS),
        (["explain"], Exit.PASS),
        (["explain", "--run", "BN101"], Exit.FAIL),
        (["forward"], Exit.USAGE),
    ],
)
def test_each_command_writes_one(arguments: list[str], code: Exit, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert run([*arguments, "-o", str(path)]) is code
    assert path.exists() is (code is not Exit.USAGE)
    if path.exists():
        Read(path.read_text())
        assert ("<svg" in path.read_text()) is (arguments[0] in ("grad", "check", "trace"))


def test_a_layer_with_a_hostile_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "<script>alert(1)<\u2044script>.py"
    shutil.copy(LAYERS / "readme_layers.py", file)
    assert run(["check", str(file), "--format", "html"]) is Exit.FAIL
    page = capsys.readouterr().out
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    Read(page)


def test_a_page_stays_as_it_is() -> None:
    golden("report.html", page_of(REPORTS["fail"]))


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright, of the extra bncheck[test], is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    with api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=found)
        except api.Error as error:
            pytest.skip(f"no Chromium on the path, and none of playwright's own: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


class Opened:
    """A page as a browser shows it, and what the browser had to say of it."""

    def __init__(self, browser: Browser, path: Path, width: int = 1280, dark: bool = False) -> None:
        scheme: Any = "dark" if dark else "light"
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def _dialog(self, dialog: Dialog) -> None:
        self.said.append(dialog.message)
        dialog.dismiss()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def written(name: str, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_text(PAGES[name], encoding="utf-8")
    return path


# Of what must be seen, wherever it stands.
_BOXES = """() => [...document.querySelectorAll('h1, p.verdict, caption, tbody tr')].map(each => {
  const box = each.getBoundingClientRect();
  return { width: box.width, height: box.height };
})"""
# For each visible text its contrast with the nearest background that is not transparent, as WCAG 2 computes it.
_CONTRASTS = """() => {
  const light = c => { const s = c / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4 };
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, style = getComputedStyle(element);
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest('style, title')) continue;
    const paper = element.closest('svg')?.querySelector('.paper');
    const ink = numbers(paper ? style.fill : style.color);
    const ground = paper ? numbers(getComputedStyle(paper).fill) : behind(element);
    const [high, low] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    found.push([(high + 0.05) / (low + 0.05), texts.currentNode.data.trim(), luminance(ground)]);
  }
  return found;
}"""


@each_page
def test_a_browser_shows_it(name: str, browser: Browser, tmp_path: Path) -> None:
    path = written(name, tmp_path)
    with Opened(browser, path) as opened:
        page = opened.page
        verdict: Any = getattr(RESULTS.get(name), "verdict", None)
        if verdict is not None:
            assert page.locator("p.verdict").first.inner_text().startswith(f"{verdict.value}: ")
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            boxes = page.evaluate(_BOXES)
            assert len(boxes) >= 1
            assert all(box["width"] > 100 and box["height"] > 15 for box in boxes)
        assert opened.said == []
        assert opened.requests == [path.as_uri()]


@each_page
def test_every_text_stands_out(name: str, browser: Browser, tmp_path: Path) -> None:
    with Opened(browser, written(name, tmp_path)) as opened:
        opened.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        for dark in (False, True):
            opened.page.emulate_media(color_scheme="dark" if dark else "light")
            found = opened.page.evaluate(_CONTRASTS)
            assert len(found) > 5
            for contrast, text, ground in found:
                assert contrast >= 4.5, text
                assert (ground < 0.5) is dark, text


def test_contrast_is_measured(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<body style="background: #fff"><p style="color: #777">grey</p><p style="color: #000">black</p>')
    with Opened(browser, path) as opened:
        grey, black = (contrast for contrast, *_ in opened.page.evaluate(_CONTRASTS))
    assert grey == pytest.approx(4.48, abs=0.01)
    assert black == pytest.approx(21)


def test_what_a_page_must_not_do_is_noticed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    bad = f'<script>alert(1)</script><img src="{(tmp_path / "gone.png").as_uri()}"><p style="width: 900px">wide</p>'
    path.write_text(f"<!DOCTYPE html><body>{bad}")
    with Opened(browser, path, 390) as opened:
        assert "1" in opened.said
        assert len(opened.requests) == 2
        assert opened.page.evaluate("document.documentElement.scrollWidth") > 390
    # And the page's own policy would not have let it.
    path.write_text(PAGES["right"].replace("</main>", f"{bad}</main>"))
    with Opened(browser, path) as opened:
        assert "1" not in opened.said
        refused = [text for text in opened.said if "Content Security Policy" in text]
        assert any("script" in text for text in refused)
        assert any("gone.png" in text for text in refused)


def test_a_code_leads_to_what_it_means(browser: Browser, tmp_path: Path) -> None:
    with Opened(browser, written("blind", tmp_path)) as opened:
        meaning = opened.page.locator("#BN101")
        assert not meaning.is_visible()
        opened.page.locator('a[href="#BN101"]').first.click()
        meaning.wait_for(state="visible")
        assert "def variance_path_lost(" in meaning.inner_text()


def test_in_print_everything_is_unfolded_and_on_white(browser: Browser, tmp_path: Path) -> None:
    with Opened(browser, written("wrong", tmp_path), dark=True) as opened:
        opened.page.emulate_media(media="print", color_scheme="dark")
        code = opened.page.locator("#BN101")
        box = code.bounding_box()
        assert box
        assert box["height"] > 100
        paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
