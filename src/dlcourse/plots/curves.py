"""Loss curves, metrics and the learning rate over the epochs, from metrics.csv."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.runs.files import by_epoch, read_rows, replaced

TRAIN, VALIDATION, TRUTH, ANSWER = "#4477aa", "#ee6677", "#228833", "#cc3311"  # Tol's bright colours
TEST = "#222222"
# Colours of about the same depth on white, none of them yellow; in print the marks and dashes tell them apart.
LINES = ("#4477aa", "#ee6677", "#228833", "#222222", "#aa3377", "#cc7722")
MARKS, DASHES = ("o", "s", "^", "D", "v", "P"), ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
RATE = "#aa3377"
DROP = 0.6  # a learning rate below this share of the epoch before has dropped
LISTED = 6  # drops with their number; more would hide the curve


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, completely or not at all."""
    with replaced(path) as part:
        figure.savefig(part, format="png", dpi=110, bbox_inches="tight")


def draw_curves(folder: Path, *metrics: str) -> None:
    """`plots/curves.png`: loss of training and validation, a metric, and the learning rate, by epoch.

    Args:
        folder: the run folder.
        metrics: names in metrics.csv of what the second panel shows: val/error_minutes, or one metric of two splits.
    """
    rows = read_rows(folder / "metrics.csv")
    if not any(curve_points(rows, name)[0] for name in ("train/loss", "val/loss", *metrics)):
        return  # a model that learns in one pass writes one row
    rates = curve_points(rows, "lr")
    panels = 3 if rates[0] else 2
    figure = Figure(figsize=(4.5 * panels, 3.4), layout="constrained")
    left, middle, *rest = figure.subplots(1, panels)
    _draw_lines(left, rows, ("train/loss", "val/loss"), "loss")
    name = metrics[0].partition("/")[2] if len(metrics) > 1 else metrics[0]
    _draw_lines(middle, rows, metrics, name)
    if rest:
        _draw_rates(rest[0], *rates)
        for axes in (left, middle):
            for epoch, _ in drops(*rates):
                axes.axvline(epoch - 0.5, color=RATE, linewidth=0.8, linestyle=":", zorder=1)
    for axes in figure.axes:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    save(figure, folder / "plots" / "curves.png")


def _draw_lines(axes: Axes, rows: list[dict[str, str]], names: Sequence[str], title: str) -> None:
    values = []
    for name in names:
        points = curve_points(rows, name)
        if not points[0]:
            continue  # a legend names only what is drawn
        values += points[1]
        style = ("--", TRAIN) if name.startswith("train/") else ("-", VALIDATION)
        axes.plot(*points, style[0], color=style[1], label=name, marker=_marker(points[0]))
    # a share of 1 is read on a linear axis
    if not title.endswith("accuracy") and values and min(values) > 0 and max(values) / min(values) > 20:
        axes.set_yscale("log")
    if values:
        axes.legend()
    words = title.replace("_", " ")
    axes.set(xlabel="epoch", ylabel=words, title=words[:1].upper() + words[1:] if len(names) > 1 else words)
    axes.grid(alpha=0.3)


def _draw_rates(axes: Axes, epochs: list[int], rates: list[float]) -> None:
    style = "steps-mid" if len(epochs) > 1 else "default"
    axes.plot(epochs, rates, color=RATE, drawstyle=style, marker=_marker(epochs))
    fallen = drops(epochs, rates)
    # Steps of a tenth are seen on a logarithmic axis only; a schedule that glides to zero is plainer on a linear one.
    if fallen and min(rates) > 0 and max(rates) / min(rates) > 20:
        axes.set_yscale("log")
    for epoch, _ in fallen:
        axes.axvline(epoch - 0.5, color=RATE, linewidth=0.8, linestyle=":")
    if fallen:
        lines = [f"{rate:.2g} from epoch {epoch}" for epoch, rate in fallen[:LISTED]]
        lines += ["…"] * (len(fallen) > LISTED)
        box = {"facecolor": "white", "edgecolor": "0.8", "boxstyle": "round,pad=0.3"}
        axes.text(0.97, 0.95, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", fontsize=8, bbox=box)
    count = f", {len(fallen)} drop{'s' if len(fallen) > 1 else ''}" if fallen else ""
    axes.set(xlabel="epoch", ylabel="learning rate", title=f"Learning rate{count}")
    axes.grid(alpha=0.3)


def drops(epochs: Sequence[int], rates: Sequence[float]) -> list[tuple[int, float]]:
    """Epochs at which the learning rate falls to less than 0.6 of that of the epoch before, and what it falls to.

    The last epochs of a schedule that glides to zero fall that steeply too; only what comes at once is a drop.
    """
    found: list[tuple[int, float]] = []
    gliding = False
    for epoch, rate, before in zip(epochs[1:], rates[1:], rates, strict=False):
        fell = rate < DROP * before
        if fell and not gliding:
            found.append((epoch, rate))
        gliding = rate < 0.99 * before and (gliding or not fell)
    return found


def _marker(epochs: Sequence[int]) -> str:
    """Dots, if they can be distinguished."""
    return "." if len(epochs) <= 40 else ""


def curve_points(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """The epochs and values of a column of metrics.csv."""
    found = by_epoch(rows, name)
    return [epoch for epoch, _ in found], [value for _, value in found]


def draw_rates(path: Path, chosen: float, rates: Sequence[float], losses: Sequence[float]) -> None:
    """The smoothed loss at each learning rate that the finder tried, and the chosen rate."""
    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(rates, losses, color=TRAIN)
    axes.axvline(chosen, color=ANSWER, linestyle=":", label=f"chosen: {chosen:.2g}")
    axes.set(xlabel="learning rate", ylabel="smoothed loss", title="Learning-rate finder")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)
