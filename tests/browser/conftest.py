"""A headless Chromium for the tests of a page, and run folders written by hand to show in it."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

HAND_MADE = Path(__file__).parents[1] / "experiments" / "conftest.py"


@pytest.fixture(scope="session")
def hand_made():
    """Return the functions that write run folders by hand."""
    return SimpleNamespace(**runpy.run_path(str(HAND_MADE)))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Return a running browser; without one the tests fail, as nothing else proves them."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    lacking = [name for name, path in programs.items() if path is None]
    assert not lacking, f"install {' and '.join(lacking)} (Debian: chromium, chromium-driver)"
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs["chromedriver"]))
    yield driver
    driver.quit()
