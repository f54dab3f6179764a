"""A report opens in a real browser, from a file, without a network, for everybody."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from experiments.report import build_report
from experiments.report.write import write_report

PATIENCE_S = 60
DESKTOP, PHONE = (1280, 900), (390, 844)
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "' onmouseover='window.hacked=1",
    "<svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "n" * 200,
    "اسم العمود",
    "特征名称",
)


class Opened:
    """A page that is open in a browser."""

    def __init__(self, driver, path):
        self.driver = driver
        self.path = path

    def open(self, size=DESKTOP, *, dark=False, media=""):
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1}
        self._command(
            "Emulation.setDeviceMetricsOverride", {**screen, "mobile": width < DESKTOP[0]}
        )
        self.emulate(dark=dark, media=media)
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(self.path.as_uri())
        self.wait()
        return self

    def emulate(self, *, dark=False, media=""):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})

    def _command(self, name, parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self):
        """Wait until all charts are drawn."""
        drawn = "return document.documentElement.dataset.charts === 'drawn'"
        WebDriverWait(self.driver, PATIENCE_S).until(lambda _: self.run(drawn))

    def wait_for(self, script):
        WebDriverWait(self.driver, PATIENCE_S).until(lambda _: self.run(script))

    def complaints(self):
        """Return what the console has said since the page was opened."""
        return [
            one["message"]
            for one in self.driver.get_log("browser")
            if one["level"] in {"SEVERE", "WARNING"}
        ]

    def requests(self):
        """Return the addresses that were asked for since the page was opened."""
        events = (json.loads(one["message"]) for one in self.driver.get_log("performance"))
        return [
            event["message"]["params"]["request"]["url"]
            for event in events
            if event["message"]["method"] == "Network.requestWillBeSent"
        ]

    def violations(self):
        """Return what axe-core finds, with the elements it finds it in."""
        axe = resources.files("axe_playwright_python").joinpath("axe.min.js")
        self.run(axe.read_text(encoding="utf-8"))
        self.driver.set_script_timeout(PATIENCE_S)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations))"
        )
        return [
            (one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]])
            for one in found
        ]

    def column(self, table, group, column):
        """Return the texts of a column in one group of rows."""
        return self.run(
            "const rows = [...document.querySelector(arguments[0]).tBodies[arguments[1]].rows];"
            "return rows.filter(row => !row.classList.contains('group'))"
            ".map(row => row.cells[arguments[2]].innerText.trim())",
            table,
            group,
            column,
        )


@pytest.fixture(scope="session")
def page(chromium, hand_made, tmp_path_factory):
    """Return the page of a run with three rounds, a search in none, and a failure."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    records = [
        one for number in range(3) for one in hand_made.complete(("sklearn", "dask"), round=number)
    ]
    for place, one in enumerate(records):
        one["phases"] = [
            {**phase, "wall_s": phase["wall_s"] * (1 + place / 100)} for phase in one["phases"]
        ]
    records.append(hand_made.failed("spark", "out of memory", "It used 5 GiB of 4 GiB."))
    report = build_report(hand_made.write_run(folder, records, rounds=3))
    return Opened(chromium, write_report(report).html)


@pytest.fixture(scope="session")
def sweep(chromium, hand_made, tmp_path_factory):
    """Return the page of a sweep over four sizes."""
    folder = tmp_path_factory.mktemp("runs") / "sweep"
    points = tuple({"dataset.n_samples": 10**power} for power in (3, 4, 5, 6))
    records = []
    for size, point in enumerate(points):
        for number in range(3):
            made = hand_made.complete(point=point, round=number)
            for place, one in enumerate(made):
                grown = 1 + size * (1 + place / 50) + number / 40
                one["phases"] = [
                    {**phase, "wall_s": phase["wall_s"] * grown} for phase in one["phases"]
                ]
            records += made
    report = build_report(hand_made.write_run(folder, records, points=points, rounds=3))
    return Opened(chromium, write_report(report).html)


@pytest.fixture(scope="session")
def search(chromium, hand_made, tmp_path_factory):
    """Return the page of a search."""
    folder = tmp_path_factory.mktemp("runs") / "search"
    engines = ("sklearn", "dask", "spark")
    records = [
        hand_made.search_record(engine, repeat=repeat) for engine in engines for repeat in (0, 1)
    ]
    hand_made.write_run(folder, records, search="{strategy: grid, refit: accuracy}")
    rows = [
        hand_made.candidate(number, engine=engine, ended_s=number + 1.5)
        for engine in engines
        for number in range(6)
    ]
    hand_made.write_candidates(folder, rows)
    return Opened(chromium, write_report(build_report(folder)).html)


@pytest.fixture(scope="session")
def hostile(chromium, hand_made, tmp_path_factory):
    """Return the page of a run in which every text is hostile."""
    folder = tmp_path_factory.mktemp("runs") / "hostile"
    text = " ".join(HOSTILE)
    point = {f"dataset.{HOSTILE[0]}": text}
    names = ("sklearn", "dask", *HOSTILE)
    records = [
        one
        for engine in names
        for one in hand_made.complete(
            (engine,),
            point=point,
            warnings=[text],
            metrics=dict.fromkeys(HOSTILE, 1.0),
            facts={"cores": text, "versions": {text: text}, "details": {text: [text]}},
            parameters=[
                {"name": text, "asked": text, "verdict": "convert", "native": text, "value": text,
                 "why": text},
            ],
        )
    ]  # fmt: skip
    records.append(hand_made.failed("spark", "failed", text, point=point))
    hand_made.write_run(
        folder,
        records,
        engines=("sklearn",),
        points=(point,),
        experiment=text,
        question=text,
        started=text,
        run=text,
        host={text: text},
        versions={text: text},
    )
    with (folder / "definition.yaml").open("a", encoding="utf-8") as file:
        file.write(f"question: |\n  {text}\n")
    return Opened(chromium, write_report(build_report(folder)).html)


@pytest.fixture(params=["page", "sweep", "search", "hostile"])
def any_page(request):
    """Return each of the pages in turn."""
    return request.getfixturevalue(request.param)


def test_it_opens_without_an_error_or_a_request(any_page):
    any_page.open()
    assert any_page.complaints() == []
    asked = any_page.requests()
    assert asked[0] == any_page.path.as_uri()
    assert [one for one in asked[1:] if not one.startswith(("data:", "blob:"))] == []


def test_charts_have_marks_and_the_width_of_the_page(any_page):
    any_page.open()
    charts = any_page.run(
        "return [...document.querySelectorAll('figure.chart')].map(figure => ({"
        "title: figure.querySelector('h3').textContent,"
        "drawn: figure.classList.contains('drawn'),"
        "marks: figure.querySelectorAll('.live svg .mark-rect path, .live svg .mark-line path,"
        " .live svg .mark-symbol path, .live svg .mark-area path, .live svg .mark-rule line')"
        ".length, width: figure.querySelector('.live svg').getBoundingClientRect().width}))"
    )
    assert charts
    for chart in charts:
        assert chart["drawn"], chart
        assert chart["marks"] > 0, chart
        assert chart["width"] > 500, chart


def test_a_pointer_over_a_mark_shows_its_values(page):
    page.open()
    mark = page.driver.find_element(By.CSS_SELECTOR, ".live svg .mark-rect path")
    page.run("arguments[0].scrollIntoView({block: 'center'})", mark)
    ActionChains(page.driver).move_to_element(mark).perform()
    page.wait_for("return !!document.querySelector('#vg-tooltip-element.visible')")
    told = page.run("return document.querySelector('#vg-tooltip-element').innerText")
    assert "scikit-learn" in told or "Dask" in told


def test_tables_sort_by_mouse_within_each_group_and_back(page):
    page.open()
    before = page.column("table.full", 1, 2)
    button = page.driver.find_element(By.CSS_SELECTOR, "table.full th:nth-child(3) button")
    head = "return document.querySelector('table.full th:nth-child(3)').ariaSort"
    page.run("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert page.run(head) == "ascending"
    seconds = [_seconds(one) for one in page.column("table.full", 1, 2)]
    assert seconds == sorted(seconds)
    assert seconds != [_seconds(one) for one in before]
    button.click()
    assert page.run(head) == "descending"
    assert [_seconds(one) for one in page.column("table.full", 1, 2)] == seconds[::-1]
    button.click()
    assert page.run(head) == "none"
    assert page.column("table.full", 1, 2) == before


def _seconds(text):
    number, unit = text.split()[:2]
    return float(number) * (1e-3 if unit == "ms" else 1)


def test_tables_sort_by_keyboard_alone(search):
    search.open()
    table = "document.querySelector('[id^=candidates-]').closest('table')"
    body = search.driver.find_element(By.TAG_NAME, "body")
    for _ in range(400):
        body.send_keys(Keys.TAB) if search.run(
            "return document.activeElement === document.body"
        ) else ActionChains(search.driver).send_keys(Keys.TAB).perform()
        if search.run(f"return {table}.tHead.contains(document.activeElement)"):
            break
    focused = search.driver.switch_to.active_element
    assert focused.tag_name == "button"
    outline = focused.value_of_css_property("outline-style")
    assert outline == "solid"
    focused.send_keys(Keys.ENTER)
    assert search.run("return document.activeElement.closest('th').ariaSort") == "ascending"
    focused.send_keys(Keys.SPACE)
    places = search.run(f"return [...{table}.tBodies[0].rows].map(row => row.cells[0].innerText)")
    assert [int(one) for one in places] == sorted((int(one) for one in places), reverse=True)


def test_rows_that_sum_a_sweep_up_stay_below_when_it_is_sorted(sweep):
    sweep.open()
    table = "document.querySelector('#deciding').closest('table')"
    search = sweep.driver.find_element(By.XPATH, "//*[@id='deciding']/..//th[1]/button")
    search.click()
    search.click()
    rows = sweep.run(f"return [...{table}.rows].map(row => row.cells[0].innerText.trim())")
    assert rows[1] == "1,000,000"
    assert rows[-1] == "largest completed"


def test_the_skip_link_is_first_and_leads_to_the_answer(page):
    page.open()
    ActionChains(page.driver).send_keys(Keys.TAB).perform()
    assert page.run("return document.activeElement.className") == "skip"
    ActionChains(page.driver).send_keys(Keys.ENTER).perform()
    assert page.run("return location.hash") == "#main"


def test_the_answer_is_in_the_first_screen(any_page):
    for size in (DESKTOP, PHONE):
        any_page.open(size)
        top = any_page.run("return document.querySelector('.answer').getBoundingClientRect().top")
        assert top < size[1] or any_page.path.parent.name == "hostile"


def test_no_page_scrolls_sideways_on_a_phone(any_page):
    any_page.open(PHONE)
    wide = any_page.run(
        "return [...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll') &&"
        " !one.closest('svg') && one.getBoundingClientRect().right > innerWidth + 1)"
        ".map(one => one.outerHTML.slice(0, 120))"
    )
    assert any_page.run("return document.documentElement.scrollWidth") <= PHONE[0]
    assert wide == []


@pytest.mark.parametrize(
    ("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop, light", "phone, dark"]
)
def test_axe_finds_nothing_wrong(any_page, size, dark):
    any_page.open(size, dark=dark)
    any_page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert any_page.violations() == []


def test_dark_and_light_differ_and_charts_follow_at_once(page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    ink = "return document.querySelector('.live svg .role-axis-label text')?.getAttribute('fill')"
    page.open()
    light = page.run(ground), page.run(ink)
    assert light[0] == "rgb(255, 255, 255)"
    page.emulate(dark=True)
    page.wait_for(f"return (() => {{ {ink} }})() !== {json.dumps(light[1])}")
    page.wait()
    dark = page.run(ground), page.run(ink)
    assert dark[0] != light[0]
    assert sum(int(dark[1][one : one + 2], 16) for one in (1, 3, 5)) > 3 * 128
    page.emulate()


def test_on_paper_charts_are_images_on_white(page):
    page.open(dark=True)
    page.emulate(dark=True, media="print")
    shown = page.run(
        "const figure = document.querySelector('figure.chart');"
        "const display = one => getComputedStyle(figure.querySelector(one)).display;"
        "const image = figure.querySelector('img');"
        "return [display('.live'), display('.still'), image.complete && image.naturalWidth > 0,"
        " getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('nav')).display]"
    )
    assert shown == ["none", "block", True, "rgb(255, 255, 255)", "none"]
    page.emulate()


def test_without_scripts_charts_are_images(page):
    page._command("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get(page.path.as_uri())
        image = page.driver.find_element(By.CSS_SELECTOR, "figure.chart img")
        assert image.is_displayed()
        assert image.size["width"] > 200
    finally:
        page._command("Emulation.setScriptExecutionDisabled", {"value": False})


def test_nothing_from_data_runs_and_all_of_it_is_shown(hostile):
    hostile.open()
    marks = hostile.driver.find_elements(By.CSS_SELECTOR, ".live svg .mark-rect path")
    shown = [one for one in marks if one.rect["width"] > 2 and one.rect["height"] > 2]
    assert shown
    for one in shown[:: max(1, len(shown) // 8)]:
        ActionChains(hostile.driver).move_to_element(one).perform()
        hostile.wait_for("return !!document.querySelector('#vg-tooltip-element.visible')")
    assert hostile.run("return window.hacked") is None
    assert hostile.run("return document.images.length") == hostile.run(
        "return document.querySelectorAll('img.still').length"
    )
    said = hostile.run("return document.querySelector('h1').textContent")
    for text in HOSTILE:
        assert text in said
    heads = hostile.run(
        "return [...document.querySelectorAll('table.full thead button')].map(one => one.innerText)"
    )
    assert set(HOSTILE) <= set(heads)


def test_a_script_that_got_into_the_page_would_not_run(page):
    page.open()
    page.run(
        "const script = document.createElement('script');"
        "script.textContent = 'window.hacked = 1'; document.body.append(script);"
        "const image = document.createElement('img');"
        "image.setAttribute('onerror', 'window.hacked = 1'); image.src = 'http://127.0.0.1:9/x';"
        "document.body.append(image)"
    )
    assert page.run("return window.hacked") is None
    assert all("Content Security Policy" in one for one in page.complaints())
