"""The report in a real browser: no request, no complaint, no sideways scrolling, light and dark."""

import shutil

import make_run
import pytest

from svertka.reporting import write_report
from svertka.reporting.charts import palette

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    hostile = [
        "<script>window.hacked=1</script>",
        "x" * 300,
        "кошка",
        '"><img src=x onerror="window.hacked=1">',
    ]
    digits = make_run.digits_run(folder / "digits", test_share=0.25, epochs=4)
    return {
        "digits": write_report(digits),
        "russian": write_report(digits, folder / "russian.html", "ru"),
        "many": write_report(make_run.invented(folder / "many", classes=100, files=5000, scored=2000, skill=4)),
        "hostile": write_report(make_run.invented(folder / "hostile", names=hostile, net="conv" * 50)),
        "map": write_report(make_run.with_map(make_run.invented(folder / "map", names=[*hostile, *"abcdefghijk"]))),
    }


def opened(browser, path, **options):
    """The page, with every request and complaint written down and the network forbidden."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.requests, page.complaints = [], []
    page.on("request", lambda r: page.requests.append(r.url) if not r.url.startswith("data:") else None)
    page.on("console", lambda m: page.complaints.append(m.text))
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("name", ["digits", "russian", "many", "hostile", "map"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_the_page_asks_for_nothing_and_fits(browser, reports, name, width):
    page = opened(browser, reports[name], viewport={"width": width, "height": 844})
    assert page.requests == [reports[name].as_uri()]
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.hacked") is None
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert page.evaluate(broken) == 0
    page.context.close()


@pytest.mark.parametrize("name", ["light", "dark"])
def test_it_follows_the_readers_colors(browser, reports, name):
    page = opened(browser, reports["digits"], color_scheme=name)
    paper = palette.scheme(name)["paper"]
    red, green, blue = (int(paper[i : i + 2], 16) for i in (1, 3, 5))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == f"rgb({red}, {green}, {blue})"
    page.context.close()


def test_on_paper_it_is_light_and_unfolded(browser, reports):
    page = opened(browser, reports["digits"], color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.evaluate("document.querySelector('details table').getBoundingClientRect().height") > 0
    page.context.close()


def test_text_is_large_enough_on_a_phone(browser, reports):
    page = opened(browser, reports["digits"], viewport={"width": 390, "height": 844})
    chart = page.evaluate("""() => {
        const svg = document.querySelector('svg.curves');
        return 13 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    }""")
    assert chart >= 9.5
    page.context.close()
