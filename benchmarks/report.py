"""The results as a table, as JSON and as a plot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from works import NOTHING, SECONDS, Bound, Work

TITLES = {
    "chatnb": "chatnb",
    "floor": "floor",
    "sdk": "openai SDK",
    "langchain": "LangChain",
    "python": "bare Python",
    "kernel": "empty kernel",
    "astream_each": "`astream`",
    "batch": "`batch`",
}
MOST_BUSY = 15.0
"""Percent of the machine's time; others that take more disturb what is measured."""
THEMES = {"light": ("#24292f", "#d0d7de"), "dark": ("#e6edf3", "#30363d")}
COLOURS = {"chatnb": "#2979ff", "floor": "#9e9e9e", "sdk": "#f57c00", "langchain": "#8e5bd0"}


@dataclass(frozen=True)
class Row:
    """The measures of each client for a work, in seconds a unit (or bytes)."""

    work: Work
    took: dict[str, float]
    busy: float = 0.0
    """The share of the machine's time that others took just before, in percent."""

    @property
    def is_disturbed(self) -> bool:
        return self.busy > MOST_BUSY

    def __str__(self) -> str:
        told = "  ".join(f"{TITLES[name]} {self.shown(name)}" for name in self.took)
        disturbed = f"  (others took {self.busy:.0f} %)" if self.is_disturbed else ""
        return f"{self.work.title}: {told} {self.work.unit}  {self.bounds()}{disturbed}"

    def shown(self, name: str) -> str:
        if name not in self.took:
            return ""
        value = self.took[name] / SECONDS[self.work.unit]
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    def bounds(self) -> str:
        return "; ".join(
            self._bound(bound, reached) for bound, reached in self.reached() if reached is not None
        )

    def reached(self) -> list[tuple[Bound, float | None]]:
        """The ratio that each bound limits, as far as its peer was measured."""
        took: dict[str, float] = {NOTHING: 0.0, **self.took}
        return [
            (b, b.reached(took["chatnb"], took[b.peer]) if b.peer in took else None)
            for b in self.work.bounds
        ]

    def _bound(self, bound: Bound, reached: float) -> str:
        sign = "≤" if reached <= bound.most else "**above**"
        if bound.peer == NOTHING:
            scale = SECONDS[self.work.unit]
            return f"{reached / scale:.3g} ({sign} {bound.most / scale:g})"
        how = f"{reached:+.2f} s on" if bound.more else f"{reached:.3g} of"
        return f"{how} {TITLES[bound.peer]} ({sign} {bound.most:g})"


@dataclass
class Report:
    """One run."""

    date: str
    machine: str
    rounds: int
    versions: dict[str, str]
    rows: list[Row]

    def markdown(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        lines = [
            "# Results",
            "",
            f"Written by `make bench` on {self.date}; {self.machine}; medians of {self.rounds} "
            "rounds in one run. Only the ratios mean anything.",
            "",
            *self._disturbance(),
            f"{versions}.",
            "",
            "| work | unit | chatnb | floor | openai SDK | LangChain | reached (promised) |",
            "|---|---|--:|--:|--:|--:|---|",
        ]
        for row in self.rows:
            cells = [row.shown(name) for name in ("chatnb", "floor", "sdk", "langchain")]
            title = row.work.title.replace("|", "\\|") + (" †" if row.is_disturbed else "")
            told = " | ".join([title, row.work.unit, *cells, row.bounds()])
            lines.append(f"| {told} |")
        return "\n".join(lines) + "\n"

    def _disturbance(self) -> list[str]:
        if not any(row.is_disturbed for row in self.rows):
            return []
        most = max(row.busy for row in self.rows)
        return [
            f"**Measured under load**: before the rows with †, others took up to {most:.0f} %.",
            "",
        ]

    def data(self) -> dict[str, object]:
        return {
            "date": self.date,
            "machine": self.machine,
            "rounds": self.rounds,
            "versions": self.versions,
            "works": [
                {
                    "name": row.work.name,
                    "unit": "bytes" if row.work.unit == "MB" else "seconds",
                    "took": row.took,
                    "busy_percent": row.busy,
                    "ratios": {
                        name: row.took["chatnb"] / took
                        for name, took in row.took.items()
                        if name != "chatnb"
                    },
                    "bounds": {
                        bound.peer: {"most": bound.most, "reached": reached}
                        for bound, reached in row.reached()
                        if reached is not None
                    },
                }
                for row in self.rows
            ],
        }


def write_report(report: Report, folder: Path) -> None:
    """Write the table, the JSON, and a plot for each theme of the README."""
    (folder / "RESULTS.md").write_text(report.markdown(), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(report.data(), indent=2) + "\n")
    for theme in THEMES:
        plot(report, theme, folder / f"results-{theme}.svg")


def plot(report: Report, theme: str, file: Path) -> None:
    """Draw each peer's time as a multiple of chatnb's, on a logarithmic axis."""
    text, line = THEMES[theme]
    rows = [row for row in report.rows if {"sdk", "langchain"} & row.took.keys()][::-1]
    pyplot.rcParams.update({"svg.hashsalt": "chatnb", "font.size": 9, "text.color": text})
    figure, axes = pyplot.subplots(figsize=(8, 0.36 * len(rows) + 0.9), layout="constrained")
    for place, row in enumerate(rows):
        peers = [name for name in ("sdk", "langchain") if name in row.took]
        for shift, name in zip((0.2, -0.2) if len(peers) > 1 else (0,), peers, strict=True):
            times = row.took[name] / row.took["chatnb"]
            axes.barh(place + shift, times - 1, 0.36, left=1, color=COLOURS[name])
            axes.text(times * 1.06, place + shift, f"{times:.3g}", va="center", fontsize=8)
    axes.axvline(1, color=COLOURS["chatnb"], linewidth=2)
    axes.set_yticks(range(len(rows)), [row.work.title.replace("`", "") for row in rows])
    axes.set_xscale("log")
    axes.set_xlim(1, None)
    axes.margins(x=0.12, y=0.01)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("times as long as chatnb", color=text)
    axes.tick_params(colors=text, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(line)
    handles = [
        Line2D([], [], color=COLOURS["chatnb"], linewidth=2, label="chatnb"),
        *(Rectangle((0, 0), 1, 1, color=COLOURS[n], label=TITLES[n]) for n in ("sdk", "langchain")),
    ]
    axes.legend(handles=handles, frameon=False, labelcolor=text, loc="upper right")
    figure.savefig(file, transparent=True, metadata={"Date": None})
    pyplot.close(figure)
