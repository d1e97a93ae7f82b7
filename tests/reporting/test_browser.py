"""The page in a browser, from the file system: it sorts, filters, opens its rows, and has nothing to complain about."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.reporting.browser import BROWSER, FLAGS

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine to open the page with")

# What a person does, after the page has settled; whatever throws is an error on the console.
CLICKS = """<script>
addEventListener("load", () => {
  document.querySelector('#references th[data-key="reported"] button').click();
  document.querySelector('#references th[data-key="reported"] button').click();
  const q = document.getElementById("q");
  q.value = "mnist";
  q.dispatchEvent(new Event("input"));
  document.querySelector("#runs tbody tr").click();
});
</script>"""


class Rows(HTMLParser):
    """The ids of a table's rows that are seen, and which tbody is open."""

    def __init__(self, table: str):
        super().__init__()
        self.table, self.inside, self.seen, self.ids, self.opened = table, False, False, [], 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "table":
            self.inside = found.get("id") == self.table
        if not self.inside:
            return
        if tag == "tbody":
            names = (found.get("class") or "").split()
            self.seen = "hidden" not in names
            self.opened += "open" in names
            self.first = True
        if tag == "td" and self.seen and self.first:
            self.ids.append(found.get("data-value"))
            self.first = False

    def handle_endtag(self, tag):
        if tag == "table":
            self.inside = False


def open_page(page: Path, profile: Path, fragment: str = "") -> str:
    """The page as it stands after its scripts have run; fails on anything that is said on its console."""
    call = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--enable-logging=stderr",
            "--dump-dom", page.absolute().as_uri() + fragment]  # fmt: skip
    done = subprocess.run(call, capture_output=True, text=True, timeout=90, check=False)
    said = [line for line in done.stderr.splitlines() if re.search(r"CONSOLE|Uncaught|SyntaxError", line)]
    assert not said and done.returncode == 0, said or done.stderr[-2000:]
    return done.stdout


def _rows(dom: str, table: str) -> Rows:
    found = Rows(table)
    found.feed(dom)
    return found


@pytest.fixture
def page(make_run, command):
    make_run("outputs/a", 0.996, pictures=2)
    make_run("outputs/b", 0.5, status="failed", error="<i>broke</i>", data="cifar10", experiment=None, references=[],
             overrides=["model=cnn"])  # fmt: skip
    assert command("report")[0] == 0
    return Path("outputs/report/report.html")


def test_a_hash_sorts_and_filters(page, tmp_path):
    everything = _rows(open_page(page, tmp_path / "p"), "references")
    assert len(everything.ids) > 50 and everything.ids[0] == "C1" and everything.opened == 0
    dom = open_page(page, tmp_path / "p", "#q=clock+original&area=G&references-sort=reported&references-dir=descending")
    rows = _rows(dom, "references")
    assert rows.ids[0] == "G3-720" and rows.ids[-1] == "G5-12+60" and all(name.startswith("G") for name in rows.ids)
    assert f"{len(rows.ids)} of {len(everything.ids)} rows" in dom
    assert _rows(open_page(page, tmp_path / "p", "#kind=better"), "references").ids == ["D-1epoch"]


def test_a_person_sorts_filters_and_opens_a_row(page, tmp_path):
    page.write_text(page.read_text().replace("</body>", f"{CLICKS}</body>"))
    dom = open_page(page, tmp_path / "p")
    rows = _rows(dom, "references")
    assert rows.ids[:2] == ["D1", "D2"] and "C3" not in rows.ids  # the highest figure of MNIST first
    runs = _rows(dom, "runs")
    assert runs.ids == ["outputs/a"] and runs.opened == 1
    assert dom.count('src="data:image/webp') == 2  # the pictures of the opened run alone


def test_a_link_to_a_run_opens_it(page, tmp_path):
    assert _rows(open_page(page, tmp_path / "p", "#run-outputs-a"), "runs").opened == 1


def test_two_runs_side_by_side_open_without_a_word(make_run, command, tmp_path):
    make_run("a", 0.9, classes="cat,10,4,0.4,dog\n")
    make_run("b", 0.95, classes="cat,10,1,0.1,dog\n")
    assert command("report", "compare=[a,b]")[0] == 0
    dom = open_page(Path("outputs/report/compare.html"), tmp_path / "p", "#classes-sort=gain&classes-dir=descending")
    assert len(_rows(dom, "metrics").ids) >= 5
