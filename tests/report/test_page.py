"""The page: what it says, that it asks for nothing, and that nobody's names run in it."""

import base64
import hashlib
import importlib.util
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from robust_restoration_report.figures import rows, summary
from robust_restoration_report.write import write_report

from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result import Record

EVIL = "</script></style><script>boom()</script><img src=x onerror=boom()>\"'&"


def denoised(subject="mine", images=("a.png", "b.png"), **settings):
    found = []
    for number, image in enumerate(images):
        for threat, control, psnr in [
            ("unattacked", "", 30.0), ("pinch", "", 25.0), ("pinch", "same energy", 29.0),
        ]:
            eps = 0.0 if threat == "unattacked" else 5 / 255
            which = (subject, "photos", image, threat, eps, control)
            found.append(Record(*which, "psnr", psnr + number))
            if eps:
                found.append(Record(*which, "size", 4 / 255))
    return Result(
        found, {"noise": "noise of 25/255", "seed": 3, "threats": {"pinch": {"eps": [5 / 255]}},
                **settings},
        {"python": "3.x", "command": f"robust-restoration evaluate {subject}"}, [], [],
    )


def classified():
    found = []
    for subject in ("none", "soft"):
        for image in range(4):
            for eps in (0.0, 2 / 255, 4 / 255):
                threat = "white-box" if eps else "unattacked"
                right = float(image >= 255 * eps / 2)
                found.append(
                    Record(subject, "test", f"{image}", threat, eps, "", "accuracy", right)
                )
    return Result(found, {"classifier": "net"}, {}, [], [])


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.stack = [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.stack.append(tag)

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_it_tells_figures_intervals_settings_and_the_command(tmp_path):
    result = denoised()
    result.to_html(tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    low, high = result.interval("pinch")[1:]
    assert f"25.50 dB ({low:.2f} to {high:.2f})" in page.text
    assert "robust-restoration evaluate mine" in page.text
    assert "-5.00" in page.text  # the change, image by image
    assert "seed 3" in page.text
    assert page.text.index("mine on photos") < page.text.index("Table")


def test_warnings_come_before_the_summary(tmp_path):
    result = denoised()
    result.notes.append("Gradients are masked.")
    result.to_html(tmp_path / "page.html")
    text = Page(tmp_path / "page.html").text
    assert text.index("Gradients are masked.") < text.index("restores to")


def test_everything_of_the_users_is_escaped(tmp_path):
    evil = denoised(EVIL, (EVIL, "b.png"), **{EVIL: {EVIL: [EVIL]}, "weights": {EVIL: EVIL}})
    evil.notes.append(EVIL)
    evil.damaged.append(EVIL)
    evil.environment[EVIL] = EVIL
    evil.records += [r._replace(threat=EVIL, eps=1 / 255) for r in evil.records if r.eps]
    evil.settings["threats"][EVIL] = {EVIL: EVIL}
    write_report([evil], tmp_path / "evil.html", title=EVIL)
    page = Page(tmp_path / "evil.html")
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count("boom()") > 10
    # What the policy lets run is this script alone, so that no slip of ours could run another.
    script = re.search(r"<script>(.*?)</script>", page.source, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and "Content" in a.get("http-equiv", "")
    )
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_it_asks_for_nothing_from_elsewhere(tmp_path):
    write_report([denoised(), classified()], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert "http" not in re.sub(r'http-equiv|xmlns="[^"]*"', "", page.source)


def test_names_that_are_no_text_are_written_all_the_same(tmp_path):
    denoised("caf\udce9").to_html(tmp_path / "page.html")
    assert "caf?" in Page(tmp_path / "page.html").text


def test_each_figure_is_told_what_it_is_of_where_a_phone_shows_no_columns(tmp_path):
    write_report([denoised()], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    heads = re.findall(r'<th scope="col" class="number">(.*?)</th>', page.source)
    cells = re.findall(r'<td class="number"([^>]*)>(.*?)</td>', page.source)
    told = [re.findall('data-head="(.*?)"', attributes) for attributes, text in cells if text]
    assert len(told) > 10
    assert {head for (head,) in told} == set(heads)


def test_strengths_make_curves_and_one_strength_makes_dots(tmp_path):
    write_report([classified(), denoised()], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    tips = [a["data-tip"] for t, a in page.tags if t == "circle"]
    assert len(tips) == 2 * 3 + 3
    assert any("no purifier: accuracy in % 50.0" in tip and "4/255" in tip for tip in tips)
    assert sum(tag == "polyline" for tag, _ in page.tags) == 2


@pytest.mark.slow
def test_results_that_fit_make_one_table_and_others_a_section_each(tmp_path):
    write_report([denoised("mine"), denoised("yours")], tmp_path / "one.html")
    write_report([denoised("mine"), denoised("mine")], tmp_path / "two.html")
    pages = [Page(tmp_path / name) for name in ("one.html", "two.html")]
    counted = [sum(tag == "table" for tag, _ in page.tags) for page in pages]
    assert counted == [1, 2]


def test_the_summary_puts_first_what_keeps_most():
    weak = denoised("weak")
    weak.records = [r._replace(value=20.0) if r.threat == "pinch" and not r.control
                    and r.metric == "psnr" else r for r in weak.records]
    both = Result.concat([weak, denoised("strong")])
    said = summary(both, rows(both))
    assert ["strong" in said[1], "weak" in said[2]] == [True, True]
    assert "'same energy'" in said[1]


def test_strips_are_put_in_worst_first_and_missing_ones_said(tmp_path):
    import torch
    from robust_restoration_report.strips import write_strip

    result = denoised()
    result.records = [r._replace(value=10.0) if r.image == "b.png" and r.threat == "pinch"
                      and not r.control and r.metric == "psnr" else r for r in result.records]
    for image in ("a.png", "b.png"):
        write_strip(tmp_path / "strips" / f"{image}.pinch.png", *[torch.rand(1, 20, 30)] * 5)
    result.to_html(tmp_path / "page.html", strips=tmp_path / "strips", limit=1)
    page = Page(tmp_path / "page.html")
    strips = [a for _, a in page.tags if a.get("class") == "strip"]
    assert [s["data-panel"] for s in strips] == ["30"]
    assert "b.png: pinch" in page.text
    assert "1 more stand" in page.text
    with pytest.raises(InputError, match="holds no strips"):
        result.to_html(tmp_path / "other.html", strips=tmp_path)
    assert not (tmp_path / "other.html").exists()


def test_nothing_to_report_is_said():
    with pytest.raises(InputError, match="no result"):
        write_report([], "page.html")


BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or ""


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no chromium")
def test_in_a_browser_nothing_fails_and_the_table_sorts(tmp_path):
    api = pytest.importorskip("playwright.sync_api")
    import torch
    from robust_restoration_report.strips import write_strip

    evil = denoised(EVIL)
    for image in ("a.png", "b.png"):
        write_strip(tmp_path / f"{image}.pinch.png", *[torch.rand(1, 20, 30)] * 5)
    write_report([evil, classified()], tmp_path / "page.html", strips=tmp_path)
    said, asked = [], []
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "page.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # On a phone, no figure of a table stands where one must scroll to it.
        assert page.evaluate("[...document.querySelectorAll('td')]"
                             ".every((cell) => cell.getBoundingClientRect().right <= innerWidth)")
        column = "() => [...document.querySelectorAll('table')[0].tBodies[0].rows]" \
                 ".map(r => parseFloat(r.cells[4].textContent))"
        page.click("table >> nth=0 >> th >> nth=4 >> button")
        rising = page.evaluate(column)
        page.click("table >> nth=0 >> th >> nth=4 >> button")
        assert rising == sorted(rising) != page.evaluate(column)
        page.click(".strip .open >> nth=0")
        assert page.evaluate("document.getElementById('viewer').open")
        before = page.evaluate("canvas.toDataURL()")
        page.fill("#slide", "100")
        assert page.evaluate("canvas.width") == 30
        page.keyboard.press("Escape")
        page.focus("circle >> nth=0")
        assert "95 %" in page.inner_text("#tip")
        assert before
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []


def test_printing_hides_the_buttons_but_not_the_heads_of_tables():
    page = Path(importlib.util.find_spec("robust_restoration_report").origin).parent / "page"
    script, style = ((page / f"page.{kind}").read_text() for kind in ("js", "css"))
    hidden = next(line for line in style.split("@media print")[1].splitlines() if "none" in line)
    assert "button" in script  # heads become buttons that sort
    assert hidden.split(",")[0].strip() == ":not(th) > button"
