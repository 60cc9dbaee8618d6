"""The page in a real browser: no complaints, no requests, sorting, and films that stay on one clock."""

from __future__ import annotations

import pytest

from stages import report as stage
from stages.report import Params
from tests.reporting.browser import Browser, find_browser
from tests.reporting.fake import FPS, write_fake_runs

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")]

TIMES = "[...document.querySelectorAll('#tiles video')].map(film => film.currentTime)"
READY = (
    "document.querySelectorAll('#tiles video').length > 1 && "
    "[...document.querySelectorAll('#tiles video')].every(film => film.readyState >= 3 && !film.seeking)"
)
PAUSED = "[...document.querySelectorAll('#tiles video')].every(film => film.paused)"
MOVED = f"{TIMES}.every(time => time > 0.3)"
ROWS = "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => row.cells[0].textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    runs = write_fake_runs(folder / "runs", films=2)
    path = folder / "page.html"
    stage.run(runs, Params(output=(str(path),), baseline="still"))
    return path


@pytest.fixture(scope="module", params=[(1400, 900, False), (400, 800, True)], ids=["wide", "narrow-dark"])
def window(request, page, tmp_path_factory):
    width, height, dark = request.param
    with Browser(tmp_path_factory.mktemp("profile"), (width, height), dark) as opened:
        opened.open(page)
        opened.wait_for(READY)
        yield opened


@pytest.fixture
def browser(window):
    """Every test begins with the same clip, paused."""
    put(window, "order", "worst")
    choose(window, "clip_01")
    return window


def choose(browser, clip: str) -> None:
    browser.run(f"[...document.querySelectorAll('#clip-list button')].find(b => b.title === {clip!r}).click()")
    browser.wait_for(READY)


def put(browser, name: str, value: str, event: str = "change") -> None:
    """Set a control as a user would."""
    at = f"document.getElementById({name!r})"
    browser.run(f"{at}.value = {value!r}, {at}.dispatchEvent(new Event({event!r})), 0")


def spread(browser) -> float:
    """Largest distance between the films' times, s."""
    times = browser.run(TIMES)
    assert len(times) == 4, times
    return max(times) - min(times)


def click(browser, selector: str) -> None:
    browser.run(f"document.querySelector({selector!r}).click()")


def test_nothing_sticks_out_of_the_page(browser):
    width = browser.run("innerWidth")
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_a_click_sorts_the_methods_and_leaves_the_floors_below(browser):
    before = browser.run(ROWS)
    click(browser, "table.sortable th:nth-child(3) button")  # SSIM, higher is better
    column = (
        "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => Number(row.cells[2].dataset.value))"
    )
    values = browser.run(column)
    assert values == sorted(values, reverse=True)
    click(browser, "table.sortable th:nth-child(3) button")
    assert browser.run(column) == sorted(values)
    assert (
        browser.run("document.querySelector('table.sortable th[aria-sort]').getAttribute('aria-sort')") == "ascending"
    )
    assert sorted(browser.run(ROWS)) == sorted(before)
    assert browser.run("document.querySelector('table.sortable').tBodies[1].className") == "floors"


def test_films_are_on_one_frame_after_a_seek_and_after_playing(browser):
    put(browser, "seek", "10", "input")
    browser.wait_for(READY)
    assert browser.run(TIMES) == pytest.approx([10.5 / FPS] * 4, abs=1e-3)
    click(browser, "#play")
    browser.wait_for(f"{TIMES}.every(time => time > {10.5 / FPS + 1.0})")  # after 1 s of play
    assert spread(browser) < 1 / FPS, browser.run(TIMES)
    click(browser, "#play")
    browser.wait_for(READY)
    assert spread(browser) < 1e-3, "paused films stand on one frame"


def test_a_film_that_falls_behind_catches_up(browser):
    click(browser, "#play")
    browser.wait_for(f"{TIMES}.every(time => time > 0.2)")
    browser.run("document.querySelectorAll('#tiles video')[2].currentTime -= 0.15, 0")  # 1.8 frames
    assert spread(browser) > 1 / FPS
    browser.wait_for(f"{TIMES}[0] > 2")
    assert spread(browser) < 0.5 / FPS, browser.run(TIMES)


def test_linked_films_play_too(page, tmp_path):
    path = tmp_path / "linked.html"
    stage.run(sorted((page.parent / "runs").glob("*-0")), Params(output=(str(path),), embed_mb=0))
    with Browser(tmp_path) as opened:
        opened.open(path)
        opened.wait_for(READY)
        click(opened, "#play")
        opened.wait_for(MOVED)
        assert opened.messages == []
        assert all(url.startswith(tmp_path.as_uri()) for url in opened.requests), opened.requests


def test_keys_step_by_one_frame(browser):
    put(browser, "seek", "5", "input")
    browser.run("document.getElementById('back').focus()")
    browser.press("ArrowRight", 39)
    browser.wait_for(READY)
    assert browser.run("document.getElementById('seek').value") == "6"
    assert browser.run(TIMES) == pytest.approx([6.5 / FPS] * 4, abs=1e-3)
    browser.press("ArrowLeft", 37)
    browser.press("ArrowLeft", 37)
    assert browser.run("document.getElementById('readout').textContent").startswith("4 / 35")
    browser.press("End", 35)
    assert browser.run("document.getElementById('readout').textContent").startswith("35 / 35")
    browser.press("Home", 36)
    browser.run("document.activeElement.blur(), document.getElementById('clips').scrollIntoView({behavior: 'instant'})")
    browser.press(" ", 32)
    browser.wait_for(MOVED)
    browser.press("k", 75)
    browser.wait_for(PAUSED)
    browser.run("scrollTo({top: 0, behavior: 'instant'})")
    browser.press("k", 75)  # out of sight, keys do what they always do
    assert browser.run(PAUSED)


def test_slow_play_and_the_end(browser):
    put(browser, "speed", "0.25")
    click(browser, "#play")
    browser.wait_for(
        "document.querySelector('#tiles video').playbackRate <= 0.32 && !document.querySelector('#tiles video').paused"
    )
    click(browser, "#play")
    put(browser, "speed", "1")
    browser.run("document.getElementById('loop').click()")  # no loop: it stops on the last frame
    put(browser, "seek", "32", "input")
    browser.wait_for(READY)
    click(browser, "#play")
    browser.wait_for("document.getElementById('readout').textContent.startsWith('35 / 35')")
    browser.wait_for(PAUSED)
    browser.run("document.getElementById('loop').click()")


def test_the_worst_clip_comes_first_and_another_can_be_chosen(browser):
    first = "document.querySelector('#clip-list button').title"
    worst = browser.run(first)
    values = browser.run(
        "[...document.querySelectorAll('#clip-list button')].map(b => Number(b.lastChild.textContent))"
    )
    assert values == sorted(values)  # PSNR: higher is better
    put(browser, "order", "best")
    assert browser.run(first) != worst
    assert browser.run("document.getElementById('clip-name').textContent") == browser.run(first)
    choose(browser, "clip_00")
    assert browser.run("document.querySelectorAll('#clip-values tbody tr').length") == 3
    assert browser.run("document.querySelectorAll('#series polyline').length") == 3


def test_nothing_was_asked_of_the_network_and_nothing_complained(browser, page):
    assert browser.messages == []
    assert browser.requests == [page.resolve().as_uri()]
