"""A table in Markdown and a picture of what was measured."""

import dataclasses
import html

GREY, BLUE, RED = "#9aa0a6", "#2f6fab", "#b3261e"
LEFT, WIDTH, HEIGHT = 400, 330, 50


@dataclasses.dataclass(frozen=True)
class Row:
    """One thing that was measured.

    Arguments:
        what (str): in words
        stock (float): in stock Odoo, or None where that has none
        addon (float): with the addon
        goal (float): what the addon is to reach, in the same unit
        unit (str): of all three
        is_speed (bool): more is better
        note (str): what else was seen
    """

    what: str
    stock: float | None
    addon: float
    goal: float
    unit: str = ""
    is_speed: bool = False
    note: str = ""

    @property
    def is_reached(self):
        if self.is_speed:
            return self.addon >= self.goal
        return self.addon <= self.goal

    @property
    def ratio(self):
        return f"{self.addon / self.stock:.2f}" if self.stock else ""

    def show(self, value):
        """Return a value with its unit, with no more digits than it has to tell."""
        if value is None:
            return "-"
        digits = 0 if value >= 1000 or value == int(value) else 2 if value < 3 else 1
        return f"{value:,.{digits}f} {self.unit}".strip()

    def columns(self):
        """Return the cells of its line in the table."""
        bound = "at least" if self.is_speed else "at most" if self.goal else ""
        goal = f"{bound} {self.show(self.goal)}".strip()
        reached = "yes" if self.is_reached else "**no**"
        what = f"{self.what} ({self.note})" if self.note else self.what
        return (what, self.show(self.stock), self.show(self.addon), self.ratio, goal, reached)

    def as_text(self):
        what, stock, addon, ratio, goal, reached = self.columns()
        return f"{what}: {addon}, stock {stock}, ratio {ratio or '-'}, {goal}: {reached}"


def format_rows(rows):
    """Return rows as a table in Markdown."""
    lines = [("what", "stock Odoo 17", "addon", "ratio", "to reach", "reached"), ("---",) * 6]
    lines += [row.columns() for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw(rows):
    """Return an SVG: stock Odoo and the addon as bars, with a line for what is to be reached.

    Each row has a scale of its own.
    """
    height = HEIGHT * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 150}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, row in enumerate(rows):
        parts += _draw_row(row, HEIGHT * number + 10)
    legend = "grey: stock Odoo 17, blue: with the addon, red line: to reach"
    parts += [_text(LEFT, height - 8, legend, "start"), "</svg>\n"]
    return "\n".join(parts)


def _draw_row(row, top):
    values = [value for value in (row.stock, row.addon, row.goal) if value is not None]
    scale = WIDTH / (max(values) or 1)
    yield _text(LEFT - 10, top + 22, row.what, "end")
    for position, (value, color) in enumerate([(row.stock, GREY), (row.addon, BLUE)]):
        y = top + 18 * position
        length = (value or 0) * scale
        yield f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="15" fill="{color}"/>'
        yield _text(LEFT + WIDTH + 12, y + 12, row.show(value), "start")
    x = LEFT + row.goal * scale
    yield f'<path d="M{x:.1f} {top - 3}v39" stroke="{RED}" stroke-width="2"/>'


def _text(x, y, text, anchor):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'
