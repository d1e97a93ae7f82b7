"""You against the net, in a browser: played to the end by the keyboard, on a phone's width."""

import json
import re
from pathlib import Path

import pytest

from dlcourse.build import build_data, load_run
from dlcourse.game import write_game
from dlcourse.reporting.page import write_page
from tests.reporting.test_browser import BROWSER, open_page

ROUND = {"picture": "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="}
ROUNDS = [ROUND | {"truth": 70, "net": "2:05", "error": 55, "sure": 0.36},
          ROUND | {"truth": 719, "net": "11:59", "error": 0, "sure": None}]  # fmt: skip
# What a person types, Enter after each.
TYPES = """<script>
addEventListener("load", () => {
  for (const words of WORDS) {
    const field = document.getElementById("time");
    if (!field.readOnly) field.value = words;
    document.getElementById("form").requestSubmit();
  }
});
</script>"""


def played(tmp_path: Path, *words: str) -> str:
    page = write_page(tmp_path, "game.html", "game.html", title="You against the net", rounds=ROUNDS)
    page.write_text(page.read_text().replace("</body>", TYPES.replace("WORDS", json.dumps(words)) + "</body>"))
    return re.sub(r"<[^>]*>", "", open_page(page, tmp_path / "profile").partition("<main>")[2].partition("<script>")[0])


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine to open the page with")


@needs_browser
def test_an_answer_is_held_against_the_truth_and_the_net(tmp_path):
    text = played(tmp_path, "115")
    assert "It is 1:10" in text and "you said 1:15, 5 off" in text and "the net said 2:05, 55 off, sure by 36 %" in text


@needs_browser
def test_what_is_no_time_is_said_and_asked_again(tmp_path):
    assert "Type a time, as 1:10 or 110" in played(tmp_path, "1:75")


@needs_browser
def test_the_game_ends_with_the_score(tmp_path):
    text = played(tmp_path, "13:10", "", "12:01", "")
    assert "You win. You were nearer 1 times, the net 1, of 2." in text
    assert re.search(r"you1\s*minutes off", text) and re.search(r"the net27.5\s*minutes off", text)
    assert "1:101:1002:0555" in re.sub(r"\s", "", text)


def test_the_page_of_a_run_holds_its_pictures_and_asks_for_nothing(tiny_run, tmp_path):
    cfg, model = load_run(Path(tiny_run("plots=false")["folder"]))
    data = build_data(cfg)
    text = write_game(tmp_path / "page", model, data, rounds=3).read_text()
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=[\"']?(http|//|[\w./]+\.(js|css))", text) and "fetch(" not in text
