"""The generated pages of the reference, as Markdown by path."""

import re

import yaml
from configs import CONF, PRESETS, ROOT, Config, Key, commands, groups, load, names

LONGEST = 34  # characters of a default that a table shows
NOTE = "Set a key as `key=value` behind the command. `${key}` stands for the value of another key."


def pages() -> dict[str, str]:
    """Every generated page: `reference/commands/train.md` -> its text."""
    found = {f"reference/commands/{name}.md": _command(name) for name in commands()}
    for group in groups():
        found[group_path(group)] = _presets() if group == PRESETS else _group(group)
    found["reference/reported.md"] = _reported()
    found["results.md"] = _results()
    return found


def group_path(group: str) -> str:
    """Where a group's page is."""
    return f"reference/config/{group.replace('/', '-')}.md"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    cells = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text[:1].isalpha() else text


def _keys(keys: list[Key]) -> str:
    long = [key for key in keys if len(key.default) > LONGEST]
    rows = [[_code(key.name), "see below" if key in long else _code(key.default), key.meaning] for key in keys]
    shown = "\n".join(f"{key.name}: {key.default}" for key in long)
    return table(["key", "default", "meaning"], rows) + (f"\n\n```yaml\n{shown}\n```" if long else "")


def _command(name: str) -> str:
    config = load("", name)
    about = config.header.partition(": ")[2]
    text = re.sub(r"\$APP_CONFIG_GROUPS|\$FLAGS_HELP|Choices:\n", "", config.help)
    shown = re.findall(r"^ {2}(\S.*)$", text, re.M)
    parts = [f"# {name}", _sentence(about), "```sh\n" + "\n".join(_comment(line) for line in shown) + "\n```"]
    chosen = [(group, choice) for group, choice in config.defaults if not group.startswith("hydra")]
    if chosen:
        rows = [
            [f"[`{group}`]({_up(group)})", _code(choice) if choice != "none" else "none", _count(group)]
            for group, choice in chosen
        ]
        parts += ["## Config groups", "Choose one as `group=choice`.", table(["group", "default", "choices"], rows)]
    parts += ["## Keys", NOTE, _keys([key for key in config.keys if "." not in key.name])]
    for part in dict.fromkeys(key.name.partition(".")[0] for key in config.keys if "." in key.name):
        title = "Where the output goes" if part == "hydra" else f"Keys of `{part}`"
        parts += [f"## {title}", _keys([key for key in config.keys if key.name.startswith(f"{part}.")])]
    return "\n\n".join(parts) + "\n"


def _comment(line: str) -> str:
    """An example of --help: what follows two or more blanks is a remark."""
    return re.sub(r"^(python .*?) {2,}(\S.*)$", r"\1  # \2", line)


def _up(group: str) -> str:
    return "../" + group_path(group).removeprefix("reference/")


def _count(group: str) -> str:
    found = names(group)
    return ", ".join(f"`{name}`" for name in found) if len(found) <= 6 else f"{len(found)} choices"


def _group(group: str) -> str:
    about = ABOUT.get(group, "")
    parts = [f"# {group}", about, NOTE]
    if inner := [other for other in groups() if other.rpartition("/")[0] == group]:
        links = ", ".join(f"[`{name}`]({group_path(name).rpartition('/')[2]})" for name in inner)
        parts.append(f"Groups inside this one: {links}.")
    parts += [_choice(load(group, name)) for name in names(group)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _choice(config: Config) -> str:
    parts = [f"## `{config.group}={config.name}`", config.header]
    facts = []
    if config.target:
        facts.append(f"Builds `{config.target}`.")
    if config.extends:
        facts.append(f"Extends {', '.join(_code(name.partition('@')[0]) for name in config.extends)}.")
    if config.defaults:
        said = ", ".join(_link(group, choice) for group, choice in config.defaults)
        facts.append(f"Starts from {said}.")
    parts.append(" ".join(facts))
    parts.append(_keys(config.keys) if config.keys else "It does not add keys.")
    return "\n\n".join(part for part in parts if part)


def _link(group: str, choice: str) -> str:
    if group not in groups():
        return _code(f"{group}={choice}")
    return f"[`{group}={choice}`]({group_path(group).rpartition('/')[2]})"


def _presets() -> str:
    parts = [
        f"# {PRESETS}",
        "A preset gives an experiment a name: it sets data, model, budget and the reported figures to compare with. "
        "Keys on the command line override it. Open an entry to read its YAML; "
        "[Presets](../../experiments.md) lists what each one measured.",
    ]
    for name in names(PRESETS):
        text = (CONF / PRESETS / f"{name}.yaml").read_text("utf8")
        body = "\n".join(f"    {line}".rstrip() for line in f"```yaml\n{text.strip()}\n```".splitlines())
        parts.append(f'??? note "experiment={name}"\n\n{body}')
    return "\n\n".join(parts) + "\n"


def _reported() -> str:
    rows = []
    for name, row in yaml.safe_load((CONF / "references.yaml").read_text("utf8")).items():
        rows.append([_code(name), _code(row["metric"]), str(row["value"]), row["what"], row["source"]])
    head = "# Reported figures\n\nThe figures that others report; `references=[...]` and the reports use their ids.\n\n"
    return head + table(["id", "metric", "value", "what", "source"], rows) + "\n"


def _results() -> str:
    """RESULTS.md as a page: its links start in the project's root."""
    text = (ROOT / "RESULTS.md").read_text("utf8")
    return re.sub(r"\]\(docs/", "](", text)


ABOUT = {
    "data": "`data=NAME` chooses the data set. Any model runs on any data set with labels of its kind.",
    "data/augment": "Random changes of the training images. `data/augment=NAME` sets several keys at once.",
    "model": "`model=NAME` chooses the model with its net, its optimizer and its schedule.",
    "model/net": "`model/net=NAME` gives a model another net.",
    "model/encoding": "`model/encoding=NAME` chooses how `model=clock_transfer` encodes a time.",
    "model/family": "Options that all classifiers share. The models choose this group.",
    "model/optimizer": "`model/optimizer=NAME` gives a model another optimizer.",
    "model/schedule": "`model/schedule=NAME` chooses how the learning rate changes during training.",
    "trainer": "Where and how long to train. Other arguments of Lightning's Trainer: `+trainer.NAME=VALUE`.",
    "callbacks": "Additions to the training loop. Choose several with `'callbacks=[early_stopping,ema]'`.",
    "logger": "Trackers, which store the metrics. Choose several with `'logger=[csv,mlflow]'`.",
    "search": "Spaces for hyperparameter search: `train -m search=NAME`. See [Sweeps](../../guides/sweeps.md).",
    "search/sampler": "The budget of a search, and how trials are proposed. The search spaces choose this group.",
    "debug": "`debug=fast` shortens any run to a few batches.",
    "hydra": "Settings of Hydra that all commands share. The commands choose this group.",
    "hydra/launcher": "Where the jobs of a sweep run. See [One machine to a cluster](../../guides/cluster.md).",
    "hydra/sweeper": "What `-m` runs: every combination (`grid`), or the proposals of Optuna (`search`).",
}
