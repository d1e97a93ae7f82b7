"""You against the net, in a browser: played to the end by the keyboard, on a phone's width."""

import re
from pathlib import Path

import pytest

from dlcourse.commands.game import write_game
from dlcourse.models.build import build_data, load_run
from dlcourse.reporting.page import write_page
from tests.reporting.browser import BROWSER, Phone

ROUND = {"picture": "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="}
ROUNDS = [ROUND | {"truth": 70, "net": "2:05", "error": 55, "sure": 0.36},
          ROUND | {"truth": 719, "net": "11:59", "error": 0, "sure": None}]  # fmt: skip
NEEDED = ("clock", "time", "go", "said", "sides")  # must be on the screen at once
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine to open the page with")


@pytest.fixture
def phone(tmp_path):
    page = write_page(tmp_path, "game.html", "game.html", title="You against the net", how="", rounds=ROUNDS)
    with Phone(page, tmp_path / "profile") as phone:
        yield phone
        assert not phone.errors


def seen(phone: Phone) -> str:
    return phone.value("document.querySelector('main').innerText")


@needs_browser
def test_a_clock_is_answered_without_scrolling(phone):
    assert phone.value("innerWidth") == 360 == phone.value("document.documentElement.scrollWidth")
    places = [phone.value(f"document.getElementById('{name}').getBoundingClientRect().bottom") for name in NEEDED]
    assert min(places) > 0 and max(places) < 640
    assert phone.value("document.getElementById('clock').getBoundingClientRect().width") > 200


@needs_browser
def test_an_answer_is_held_against_the_truth_and_the_net(phone):
    phone.press(*"115", "Enter")
    text = seen(phone)
    assert "It is 1:10" in text and "you said 1:15, 5 off" in text and "the net said 2:05, 55 off, sure by 36 %" in text


@needs_browser
def test_what_is_no_time_is_said_and_asked_again(phone):
    phone.press(*"1:75", "Enter")
    assert "Type a time, as 1:10 or 110" in seen(phone)
    phone.press(*"1:10", "Enter")  # over the wrong one, which is marked
    assert "you said 1:10, 0 off" in seen(phone)


@needs_browser
def test_the_game_ends_with_the_score_and_enter_plays_again(phone):
    phone.press(*"13:10", "Enter", "Enter", *"12:01", "Enter", "Enter")
    text = seen(phone)
    assert "You win. You were nearer 1 times, the net 1, of 2." in text
    assert re.search(r"you\s*1\s*minutes of error", text) and re.search(r"the net\s*27.5\s*minutes of error", text)
    assert "1:101:1002:0555" in re.sub(r"\s", "", text)
    phone.press("Enter")
    assert "clock 1 of 2" in seen(phone)


def test_the_page_of_a_run_holds_its_pictures_and_asks_for_nothing(tiny_run, tmp_path):
    cfg, model = load_run(Path(tiny_run("plots=false")["folder"]))
    data = build_data(cfg)
    text = write_game(tmp_path / "page", model, data, rounds=3).read_text()
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=[\"']?(http|//|[\w./]+\.(js|css))", text) and "fetch(" not in text
