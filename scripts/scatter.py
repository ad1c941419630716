"""Estimated against measured values, both axes logarithmic, as an SVG document."""

from collections.abc import Iterable, Mapping
from math import log10
from xml.sax.saxutils import escape

SIZE, MARGIN = 640, 60


def draw_scatter(
    points: Iterable[tuple[float, float, str, str]],
    *,
    colours: Mapping[str, str],
    powers: tuple[float, float],
    axes: tuple[str, str],
) -> str:
    """The document.

    Args:
        points: measured, estimated, the group, and what the point says when it is pointed at.
        colours: of the groups.
        powers: the ends of both axes, as powers of ten.
        axes: what is measured and what is estimated.
    """
    low, high = powers

    def place(value: float) -> float:
        return (log10(value) - low) / (high - low) * (SIZE - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{SIZE}" height="{SIZE}" fill="white"/>',
    ]
    for power in range(int(low), int(high) + 1):
        at = place(10.0**power)
        x, y, end = MARGIN + at, SIZE - MARGIN - at, SIZE - MARGIN
        parts.append(f'<path d="M{x:.1f} {MARGIN}V{end}M{MARGIN} {y:.1f}H{end}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{end + 18}" text-anchor="middle">1e{power}</text>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">1e{power}</text>')
    parts.append(f'<path d="M{MARGIN} {SIZE - MARGIN}L{SIZE - MARGIN} {MARGIN}" stroke="#888"/>')
    for measured, estimated, group, title in points:
        x, y = MARGIN + place(measured), SIZE - MARGIN - place(estimated)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[group]}" fill-opacity=".6">'
            f"<title>{escape(title)}</title></circle>"
        )
    middle = SIZE / 2
    parts += [
        f'<text x="{middle}" y="{SIZE - 14}" text-anchor="middle">{escape(axes[0])}</text>',
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">'
        f"{escape(axes[1])}</text>",
    ]
    at = MARGIN
    for group, colour in colours.items():
        parts.append(f'<text x="{at}" y="30" fill="{colour}">{escape(group)}</text>')
        at += 10 * len(group) + 20
    return "\n".join([*parts, "</svg>"]) + "\n"
