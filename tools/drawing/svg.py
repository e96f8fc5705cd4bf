"""Shapes, text and colours of the pictures as SVG strings. The same input gives the same bytes on each machine."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

# The panel has its own background: prefers-color-scheme follows the reader's system, which can differ from the page's theme.
LIGHT = {
    "panel": ("#ffffff", "#d1d9e0"),
    "inset": ("#f6f8fa", "#afb8c1"),
    "task": ("#eef4ff", "#5b8bd9"),
    "plain": ("#f6f8fa", "#8c959f"),
    "choice": ("#fff6dd", "#c69026"),
    "good": ("#dcf5e3", "#2da44e"),
    "bad": ("#ffebe9", "#d1242f"),
    "store": ("#eaf7f1", "#3d9970"),
    "message": ("#fdf0f6", "#c8659b"),
}
DARK = {
    "panel": ("#0d1117", "#3d444d"),
    "inset": ("#151b23", "#4a525c"),
    "task": ("#15233b", "#4f86dd"),
    "plain": ("#1c2129", "#6e7681"),
    "choice": ("#2d2410", "#b98a2a"),
    "good": ("#10291a", "#3fb950"),
    "bad": ("#33171a", "#f85149"),
    "store": ("#0f261e", "#3f9d78"),
    "message": ("#2c1724", "#c3659a"),
}
LIGHT_INK = {"text": "#1f2328", "muted": "#59636e", "line": "#4b535d", "faint": "#8c959f"}
DARK_INK = {"text": "#f0f6fc", "muted": "#9ba4af", "line": "#adb5be", "faint": "#7a828e"}

FONT = "-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
NARROW, SLIM, WIDE = "ijl|'.,:;!", "Ifrt()[]-/ ", "mwMW@%"


def number(value: float) -> str:
    """The number with at most one decimal, and without a trailing zero."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """The approximate width of `text` in pixels. Generous, because sans-serif fonts differ between systems."""
    ems = 0.0
    for letter in text:
        if letter in NARROW:
            ems += 0.28
        elif letter in SLIM:
            ems += 0.36
        elif letter in WIDE:
            ems += 0.88
        else:
            ems += 0.68 if letter.isupper() else 0.57
    return ems * size * (1.07 if bold else 1.0)


def wrap(text: str, size: float, width: float) -> list[str]:
    """The words of `text` in lines of at most `width` pixels. Only a single long word can be wider."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def text(x: float, y: float, content: str, css: str, anchor: str = "start", aside: str = "") -> str:
    """A line of text with its baseline at `y`, in the class `css` (name, small, note, label). `aside` follows as a note."""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    more = f'<tspan class="note" dx="8">{escape(aside, quote=False)}</tspan>' if aside else ""
    return f'<text class="{css}" x="{number(x)}" y="{number(y)}"{place}>{escape(content, quote=False)}{more}</text>'


def rect(x: float, y: float, width: float, height: float, css: str, radius: float = 8) -> str:
    return (
        f'<rect class="{css}" x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" '
        f'rx="{number(radius)}"/>'
    )


def polygon(points: Sequence[Point], css: str) -> str:
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polygon class="{css}" points="{corners}"/>'


def rounded(points: Sequence[Point], radius: float = 8) -> str:
    """Path data through right-angled `points`, with the corners rounded."""
    data = f"M{number(points[0][0])} {number(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        data += f"L{number(start[0])} {number(start[1])}Q{number(corner[0])} {number(corner[1])} "
        data += f"{number(end[0])} {number(end[1])}"
    return data + f"L{number(points[-1][0])} {number(points[-1][1])}"


def _towards(start: Point, goal: Point, distance: float) -> Point:
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    share = min(distance, length / 2) / length
    return start[0] + dx * share, start[1] + dy * share


def line(points: Sequence[Point], css: str, head: bool = True) -> str:
    """A line through `points`. With a head, it ends in an arrow."""
    if not head:
        return f'<path class="{css}" d="{rounded(points)}"/>'
    tip = points[-1]
    neck = _towards(tip, points[-2], 7)
    across = (-(neck[1] - tip[1]) * 0.55, (neck[0] - tip[0]) * 0.55)
    wings = [(neck[0] + across[0], neck[1] + across[1]), (neck[0] - across[0], neck[1] - across[1])]
    return f'<path class="{css}" d="{rounded([*points[:-1], neck])}"/>' + polygon([tip, *wings], f"{css}-head")


def halo(points: Sequence[Point]) -> str:
    """A wider line in the background colour, drawn first, so that a line visibly crosses over another one."""
    return f'<path class="halo" d="{rounded(points)}"/>'


def document(width: float, height: float, title: str, description: str, body: Sequence[str]) -> str:
    """A complete SVG document without scripts, fonts and external references."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(title, quote=False)}</title>',
            f'<desc id="description">{escape(description, quote=False)}</desc>',
            f"<style>\n{_style()}\n</style>",
            rect(0.5, 0.5, width - 1, height - 1, "panel", 12),
            *body,
            "</svg>\n",
        ]
    )


def _style() -> str:
    fixed = [
        f"text{{font-family:{FONT};font-size:12px}}",
        ".name{font-size:14px;font-weight:600}.small{font-size:12.5px;font-weight:600}",
        ".note{font-size:11.5px;font-weight:400}.label{font-size:11.5px;paint-order:stroke;stroke-width:4px;stroke-linejoin:round}",
        ".next,.catch,.halo,.mark{fill:none}.next{stroke-width:1.5}.catch{stroke-width:1.3;stroke-dasharray:5 4}",
        ".halo{stroke-width:7}.mark{stroke-width:1.4;stroke-linecap:round;stroke-linejoin:round}",
        ".optional{stroke-dasharray:1.5 3.5;stroke-linecap:round}",
    ]
    dark = "\n".join(_colours(DARK, DARK_INK))
    return "\n".join([*fixed, *_colours(LIGHT, LIGHT_INK), f"@media(prefers-color-scheme:dark){{\n{dark}\n}}"])


def _colours(fills: dict[str, tuple[str, str]], ink: dict[str, str]) -> list[str]:
    ground = fills["panel"][0]
    rules = [f".{name}{{fill:{fill};stroke:{stroke};stroke-width:1.5}}" for name, (fill, stroke) in fills.items()]
    rules += [
        f".name,.small,.text{{fill:{ink['text']}}}.note,.muted{{fill:{ink['muted']}}}",
        f".label{{fill:{ink['muted']};stroke:{ground}}}.halo{{stroke:{ground}}}.mark{{stroke:{ink['muted']}}}",
        f".next{{stroke:{ink['line']}}}.next-head,.dot{{fill:{ink['line']}}}",
        f".catch{{stroke:{ink['faint']}}}.catch-head{{fill:{ink['faint']}}}",
    ]
    return rules
