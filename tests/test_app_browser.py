"""Each tab of the playground, opened and used in headless Chromium; no request may leave this machine."""

import os
import re
import subprocess
import sys

import pytest

from tests.reporting.browser import BROWSER

WAIT = 120_000  # milliseconds that an answer may take on a busy machine
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the playground runs, over a folder with two small runs."""
    for module in ("gradio", "captum", "playwright"):
        pytest.importorskip(module, reason=f"{module} is not installed: uv sync --extra app")
    if BROWSER is None:
        pytest.skip("Chromium is not installed")
    from dlcourse.commands.train import run
    from dlcourse.config import compose

    folder = tmp_path_factory.mktemp("playground")
    few = ["plots=false", "trainer=cpu", "trainer.precision=32-true", "trainer.max_epochs=1"]
    small = ["data.count=120", "data.validation=20", "data.test=20", "data.size=16", "data.batch_size=16"]
    net = ["model.net.width=4", "model.net.layers=2", "model.latent=6", "model.features=random"]
    # a high rate, so that each factor already changes the image
    told = ["model=gan", "model.conditional=true", "data.style=simple", "model.optimizer.lr=0.05"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCOURSE_DATA", str(folder / "data"))
        for name, words in {
            "digits": ["model=cnn", "data=digits8", "data.view=picture"],
            "faces": ["model=vae", "data=toons", *small, *net],
            "told": [*told, "data=toons", *small, *net],
        }.items():
            run(compose(*words, *few), folder=folder / "outputs" / name, overrides=[*words, *few])
    command = [sys.executable, "-u", "-m", "dlcourse.app", "port=0", f"folders=[{folder / 'outputs'}]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=os.environ | {
        "DLCOURSE_DATA": str(folder / "data"), "OMP_NUM_THREADS": "1"
    }) as server:  # fmt: skip
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(2)]
        found = re.search(r"http://127\.0\.0\.1:\d+", lines[1])
        assert found, lines
        yield found[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser(address):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--use-gl=swiftshader"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """A page of its own; at the end no request has left this machine and no script has failed."""
    opened = browser.new_page(viewport={"width": 1180, "height": 1000})
    opened.set_default_timeout(WAIT)
    foreign, broken = [], []
    local = (address, "data:", "blob:")
    opened.on("request", lambda request: None if request.url.startswith(local) else foreign.append(request.url))
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.goto(address)
    opened.get_by_role("tab", name="Read a clock").wait_for()
    yield opened
    picture = os.environ.get("PLAYGROUND_PICTURES")
    if picture:
        opened.screenshot(path=f"{picture}/{os.environ['PYTEST_CURRENT_TEST'].split('::')[-1].split(' ')[0]}.png")
    opened.close()
    assert not foreign and not broken


def stroke(page, place, points):
    """Draw through points of an element, in shares of its sides."""
    canvas = page.locator(f"{place} canvas:visible").first
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def test_a_clock_is_read_from_a_photo(page, tmp_path):
    from tests.test_app import dial

    dial(10, 10).save(tmp_path / "clock.png")
    page.locator("#clock-photo input[type=file]").set_input_files(tmp_path / "clock.png")
    page.locator("#clock-text .big", has_text=re.compile(r"^\d+:\d\d$|no clock")).wait_for()
    page.locator("#clock-found img").wait_for()


def test_an_empty_and_a_broken_image_get_a_sentence(page, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    page.locator("#clock-photo input[type=file]").set_input_files(tmp_path / "broken.png")
    page.get_by_text("could not be decoded").first.wait_for()
    page.get_by_role("tab", name="Drawing").click()
    page.locator("#clock-read").click()
    page.get_by_text("Nothing is drawn").first.wait_for()
    stroke(page, "#clock-sketch", [(0.3, 0.3), (0.6, 0.6)])
    page.locator("#clock-read").click()
    page.locator("#clock-text .big", has_text=re.compile(r"^\d+:\d\d$|no clock")).wait_for()


def test_a_digit_is_read(page):
    tab(page, "Draw a digit")
    stroke(page, "#digit-sketch", [(0.5, 0.2), (0.5, 0.8)])
    page.locator("#digit-bars .bar").nth(9).wait_for()
    first = page.locator("#digit-text .big").inner_text()
    assert re.fullmatch(r"\d", first)
    page.locator("#digit-sketch .invert").click()
    page.locator("#digit-text .big", has_text="?").wait_for()
    stroke(page, "#digit-sketch", [(0.5, 0.2), (0.5, 0.8)])
    page.locator("#digit-text .big", has_text=first).wait_for()


def open_faces(page, run):
    """Open the tab of faces with a run."""
    tab(page, "Slide a face")
    page.get_by_label("Run").locator("visible=true").click()
    page.get_by_role("option", name=re.compile(run)).click()
    page.locator("#face img").wait_for()


def test_a_conditional_model_is_told_the_factors(page):
    open_faces(page, "gan on toons")
    slider = page.locator("#face-factor-8 input[type=range]")
    slider.wait_for()
    assert page.locator("#face-factor-8").get_by_text("hair").count() and slider.get_attribute("max") == "5"
    before = page.locator("#face img").get_attribute("src")
    slider.press("End" if slider.input_value() == "0" else "Home")
    page.wait_for_function("before => document.querySelector('#face img').src != before", arg=before)


def test_a_face_slides_and_becomes_another(page):
    open_faces(page, "vae on toons")
    page.locator("#face-factor-0").wait_for(state="hidden")
    before = page.locator("#face img").get_attribute("src")
    slider = page.locator("#face-0 input[type=range]")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('#face img').src != before", arg=before)
    page.locator("#face-a").click()
    page.locator("#face-new").click()
    page.locator("#face-b").click()
    page.locator("#face-between img").wait_for()


def test_points_are_placed_and_learnt(page):
    tab(page, "Train on points")
    page.get_by_role("button", name="Clear").click()
    page.locator("#points-train").click()
    page.get_by_text("points of both classes").first.wait_for()
    plane = page.locator("#plane img")
    for place, name in (((100, 100), "blue squares"), ((300, 300), "red discs")):
        page.get_by_text(name).click()
        before = plane.get_attribute("src")
        plane.click(position=dict(zip("xy", place, strict=True)))
        page.wait_for_function("before => document.querySelector('#plane img').src != before", arg=before)
    page.locator("#points-train").click()
    page.locator("#points-text .big", has_text="step 600").wait_for()
    page.get_by_text("100% of 2 points right").wait_for()
    page.locator("#points-kind").get_by_text("XOR").click()
    page.locator("#points-text .big", has_text=re.compile(r"^step 0$")).wait_for()
    page.locator("#points-train").click()
    page.locator("#points-text .big", has_text="step 600").wait_for()


def test_what_the_net_looks_at(page):
    tab(page, "What the net looks at")
    page.locator("#look-start").click()
    page.locator("#look-heat img").wait_for()
    page.locator("#look-method").get_by_text("occlusion").click()
    page.get_by_text("covering this place").wait_for()


def start_training(visitor):
    """Click Train until the page sends it: a page that still loads ignores a click."""
    from playwright.sync_api import TimeoutError as NothingSent

    tab(visitor, "Train on points")
    for _ in range(10):
        try:
            with visitor.expect_request("**/queue/join*", timeout=WAIT / 10):
                visitor.locator("#points-train").click()
            return
        except NothingSent:
            continue
    pytest.fail("the page sends nothing when Train is clicked")


def test_two_visitors_at_once(browser, page, address):
    other = browser.new_page()
    other.set_default_timeout(WAIT)
    other.goto(address)
    for visitor in (page, other):
        start_training(visitor)
    for visitor in (page, other):
        visitor.locator("#points-text .big", has_text="step 600").wait_for()
    other.close()
