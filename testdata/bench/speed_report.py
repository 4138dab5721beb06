"""What bench/speed tells: medians as tables, the goals beside them, a plot, and all of it in the documentation."""

import statistics
import sys
from math import log10
from xml.sax.saxutils import escape

TITLES = {
    "cold": "Cold: deb, rpm, image and qcow2 of 1 GB, nothing known",
    "changed": "One file of 1 MB changed",
    "nothing": "Nothing changed",
    "memory": "Peak memory of bake",
    "others": "Programs that make one thing",
}
PEERS = "peers together"
BEGIN, END = "<!-- speed:begin -->", "<!-- speed:end -->"
MEMORY_MAX = 128
COLOURS = {"bake": "#2f81f7", "floor": "#8b949e", PEERS: "#d29922"}


class Results:
    """Every run, by scenario, group and program."""

    def __init__(self):
        self.samples = {}
        self.parts = set()
        # How many files the tree of a group has, where it is asked for.
        self.files = {}

    def add(self, scenario, group, name, sample, part=False):
        """A part is one program of several that together are compared."""
        print(f"{scenario}: {group}: {name}: {sample['wall']:.3f} s, CPU {sample['cpu']:.3f} s, {sample['memory']:.0f} MiB",
              file=sys.stderr, flush=True)
        self.samples.setdefault((scenario, group, name), []).append(sample)
        if part:
            self.parts.add((scenario, group, name))

    def groups(self, scenario):
        """Yields each group of a scenario with the runs of its programs, peers also added up."""
        names = dict.fromkeys(group for known, group, _ in self.samples if known == scenario)
        for group in names:
            found = {name: runs for (known, of, name), runs in self.samples.items() if (known, of) == (scenario, group)}
            parts = [runs for name, runs in found.items() if (scenario, group, name) in self.parts]
            if parts:
                add = {"wall": sum, "cpu": sum, "memory": max, "size": sum}
                found[PEERS] = [{key: how(run[key] for run in runs) for key, how in add.items()} for runs in zip(*parts)]
            yield group, found

    def raw(self):
        return {"results": [{"scenario": scenario, "group": group, "tool": name, "runs": runs}
                            for (scenario, group, name), runs in self.samples.items()],
                "goals": [{"goal": goal, "measured": value, "held": held} for goal, value, held in self.goals()]}

    def goals(self):
        """Yields what is wanted, what was measured, and whether it holds."""
        wanted = [("cold", lambda group: True, 4, 1.3, "reading, hashing and compressing"),
                  ("changed", lambda group: group.startswith("gb"), 20, 1.5, "writing outputs and hashing what must be hashed"),
                  ("nothing", lambda group: group.startswith("small-10k"), 100, 3, "a stat walk")]
        for scenario, concerns, least, most, floor in wanted:
            for group, found in self.groups(scenario):
                if not concerns(group):
                    continue
                bake = middle(found["bake"], "wall")
                if PEERS in found:
                    ratio = middle(found[PEERS], "wall") / bake
                    yield f"{scenario}, {group}: peers take at least {least} times the wall time", f"{ratio:.2f}", ratio >= least
                ratio = bake / middle(found["floor"], "wall")
                yield f"{scenario}, {group}: at most {most} times {floor}", f"{ratio:.2f}", ratio <= most
        for group, found in self.groups("nothing"):
            if group.startswith("small-200k"):
                beyond = (middle(found["bake"], "cpu") - middle(found["floor"], "cpu")) / self.files[group] * 1e6
                yield f"nothing, {group}: less than 1 µs of CPU for a file beyond its stat", f"{beyond:.2f} µs", beyond < 1
        peaks = {group: max(run["memory"] for run in found["bake"]) for group, found in self.groups("memory")}
        if peaks:
            group = max(peaks, key=peaks.get)
            yield (f"memory: less than {MEMORY_MAX} MiB, any tree", f"{peaks[group]:.0f} MiB ({group})",
                   peaks[group] < MEMORY_MAX)

    def text(self, told):
        """Returns everything as Markdown."""
        trees = ", ".join(f"{name} {tree['files']} files of {tree['bytes'] / 1e6:.0f} MB" for name, tree in told["trees"].items())
        lines = [f"```sh\n{told['command']}\n```", "",
                 f"{told['machine']}, load {told['load'][0]:.1f} at the start and {told['load'][1]:.1f} at the end."
                 + (f" Medians of {told['runs']} interleaved runs, the least and the most in brackets." if told["runs"] > 1
                    else " One run of each, which is no median."), "",
                 f"Trees: {trees}. Against: {'; '.join(told['versions'])}.", ""]
        goals = list(self.goals())
        if goals:
            lines += ["| goal | measured | |", "|---|--:|---|"]
            lines += [f"| {goal} | {value} | {'held' if held else '**not held**'} |" for goal, value, held in goals]
            lines.append("")
        for scenario, title in TITLES.items():
            groups = list(self.groups(scenario))
            if groups:
                lines += [f"### {title}", "", "| tree | tool | wall | CPU | memory | written | wall to bake | CPU to bake |",
                          "|---|---|--:|--:|--:|--:|--:|--:|"]
                lines += [row for group, found in groups for row in rows(group, found)]
                lines.append("")
        return "\n".join(lines)


def middle(runs, key):
    return statistics.median(run[key] for run in runs)


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def spread(runs, key):
    values = [run[key] for run in runs]
    short = seconds(statistics.median(values))
    return short if len(values) == 1 else f"{short} ({seconds(min(values))}–{seconds(max(values))})"


def ratio(value, base):
    return f"{value / base:.2f}" if base else "-"


def rows(group, found):
    for name, runs in found.items():
        bake = found["bake"]
        size = middle(runs, "size")
        yield (f"| {group} | {name} | {spread(runs, 'wall')} | {spread(runs, 'cpu')} | {max(run['memory'] for run in runs):.0f} MiB"
               f" | {f'{size / 1e6:.1f} MB' if size else '-'} | {ratio(middle(runs, 'wall'), middle(bake, 'wall'))}"
               f" | {ratio(middle(runs, 'cpu'), middle(bake, 'cpu'))} |")


def write_svg(path, results):
    """Draws the wall time of bake, the floor and all peers, each as a bar on a logarithmic axis."""
    bars = []
    for scenario in ("cold", "changed", "nothing"):
        for group, found in results.groups(scenario):
            shown = [(name, middle(found[name], "wall")) for name in COLOURS if name in found]
            bars.append((f"{scenario}: {group}", shown))
    values = [value for _, shown in bars for _, value in shown]
    if not values:
        return
    low, high = 10.0 ** -3, 10.0 ** 3
    while low * 10 <= min(values):
        low *= 10
    while high / 10 >= max(values):
        high /= 10
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(bars, low, high))


def svg(bars, low, high):
    """Returns the drawing; its letters are legible on light and on dark ground."""
    left, width, row, gap, top = 310, 560, 15, 14, 46
    scale = lambda value: left + (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low)) * width
    parts, y = [], top
    for title, shown in bars:
        parts.append(f'<text x="{left - 10}" y="{y + row * len(shown) / 2 + 4:.0f}" text-anchor="end">{escape(title)}</text>')
        for name, value in shown:
            parts.append(f'<rect x="{left}" y="{y}" width="{max(scale(value) - left, 1):.1f}" height="{row - 3}"'
                         f' fill="{COLOURS[name]}"/><text x="{scale(value) + 5:.1f}" y="{y + 10}">{seconds(value)}</text>')
            y += row
        y += gap
    axis, value = [], low
    while value <= high * 1.001:
        x, label = scale(value), f"{value * 1000:g} ms" if value < 1 else f"{value:g} s"
        axis.append(f'<path d="M{x:.1f} {top - 6}V{y}" class="grid"/><text x="{x:.1f}" y="{y + 14}"'
                    f' text-anchor="middle">{label}</text>')
        value *= 10
    legend = "".join(f'<rect x="{left + 150 * number}" y="12" width="12" height="12" fill="{colour}"/>'
                     f'<text x="{left + 150 * number + 18}" y="22">{name}</text>'
                     for number, (name, colour) in enumerate(COLOURS.items()))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {y + 26}" role="img">\n'
            "<title>Wall time of bake, of the floor and of its peers, logarithmic</title>\n"
            "<style>text{font:12px sans-serif;fill:#57606a}.grid{stroke:#8b949e;stroke-opacity:.35}"
            "@media(prefers-color-scheme:dark){text{fill:#adbac7}}</style>\n"
            + "\n".join([legend, *axis, *parts]) + "\n</svg>\n")


def write_documents(docs, text, results):
    """Replaces the marked part of the page of benchmarks, and draws its plot."""
    page, plot = docs / "benchmarks.md", docs / "benchmarks/speed.svg"
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    write_svg(plot, results)
    shown = f"![Wall time of bake, of the floor and of its peers](benchmarks/{plot.name})\n\n" if plot.exists() else ""
    page.write_text(f"{before}{BEGIN}\n\n{shown}{text}\n{END}{after}")
