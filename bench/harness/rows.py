"""The lines of the report: what was compared, what came out, and whether it is good enough."""

from dataclasses import dataclass, field


@dataclass
class Bar:
    """The most that is allowed: of the ratio to the peer, or of the value itself."""

    most: float
    of_ratio: bool = True


@dataclass
class Row:
    benchmark: str
    what: str
    unit: str  # "s", "B" or "requests"
    whittle: float
    peer: str = ""
    theirs: float | None = None
    bar: Bar | None = None
    note: str = ""
    facts: dict = field(default_factory=dict)  # samples and argument lists, for the results file only

    @property
    def ratio(self):
        return self.whittle / self.theirs if self.theirs else None

    @property
    def reached(self):
        """True, False, or None without a bar."""
        if self.bar is None:
            return None
        measured = self.ratio if self.bar.of_ratio else self.whittle
        return None if measured is None else measured <= self.bar.most

    def cells(self):
        bar = ""
        if self.bar:
            bar = f"≤ {self.bar.most:.2f}×" if self.bar.of_ratio else f"≤ {quantity(self.bar.most, self.unit)}"
        return [
            self.benchmark,
            self.what,
            quantity(self.whittle, self.unit),
            f"{self.peer}: {quantity(self.theirs, self.unit)}" if self.theirs is not None else "",
            self.shown_ratio(),
            bar,
            {True: "yes", False: "**no**", None: ""}[self.reached],
            self.note,
        ]

    def shown_ratio(self):
        """Two digits, or three where two would contradict the verdict."""
        if self.ratio is None:
            return ""
        is_misleading = self.reached is False and self.bar.of_ratio and round(self.ratio, 2) <= self.bar.most
        return f"{self.ratio:.3f}×" if is_misleading else f"{self.ratio:.2f}×"

    def summary(self):
        return ", ".join(cell for cell in self.cells()[2:6] if cell)

    def json(self):
        return {
            "benchmark": self.benchmark,
            "what": self.what,
            "unit": self.unit,
            "whittle": self.whittle,
            "peer": self.peer or None,
            "theirs": self.theirs,
            "ratio": round(self.ratio, 4) if self.ratio is not None else None,
            "bar": {"most": self.bar.most, "of": "ratio" if self.bar.of_ratio else "value"} if self.bar else None,
            "reached": self.reached,
            "note": self.note,
            **self.facts,
        }


def quantity(value, unit):
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "B":
        for size, name in ((1_000_000, "MB"), (1000, "kB")):
            if value >= size:
                return f"{value / size:.2f} {name}" if value < 10 * size else f"{value / size:.1f} {name}"
        return f"{value:.0f} B"
    return f"{value:.0f}"


HEADER = ["benchmark", "what", "whittle", "peer", "ratio", "bar", "reached", "note"]


def table(rows):
    """Markdown that also reads well on a terminal."""
    lines = [HEADER, *([cell.replace("|", "\\|") for cell in row.cells()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]
    text.insert(1, "|-" + "-|-".join("-" * width for width in widths) + "-|")
    return "\n".join(text)
