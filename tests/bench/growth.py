# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what tests/scale.sh has printed: growth.py LOG SVG. How much an operation looks into the metadata
cache as there are more and more files, and how much memory the daemon took at most until then."""
import re
import sys
from html import escape

OPERATION = re.compile(r"# (\S+) +(\d+) +\d+/s  looks +([\d.]+)  read +(\d+)")
MEMORY = re.compile(r"# memory of the daemon, (.+): at most (\d+) MiB")
COLOURS = ("#1f6f50", "#c47b2b", "#3b6ea5", "#9a4f96", "#7a7a28", "#a33c3c", "#555555")
LEFT, TOP, WIDTH, HEIGHT, LINE = 60, 50, 400, 240, 16
BARS_LEFT, BARS_WIDTH, LIMIT_MIB = 800, 180, 150


def read(log):
    curves, memory = {}, []
    for line in open(log, encoding="utf-8"):
        if match := OPERATION.match(line):
            curves.setdefault(match[1], []).append((int(match[2]), float(match[3])))
        elif match := MEMORY.match(line):
            memory.append((match[1], int(match[2])))
    most = max((curve[-1][0] for curve in curves.values()), default=0)
    return {name: curve for name, curve in curves.items() if curve[-1][0] == most}, memory


def text(x, y, words, **more):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.0f}" y="{y:.0f}"{attributes}>{escape(words)}</text>'


def draw_curves(curves):
    most_files = max(files for curve in curves.values() for files, _ in curve)
    most_looks = max(looks for curve in curves.values() for _, looks in curve) * 1.1
    lines = [text(LEFT, TOP - 12, "looks into the metadata cache, per operation, by the number of files"),
             f'<path d="M{LEFT} {TOP}v{HEIGHT}h{WIDTH}" fill="none" stroke="#666"/>']
    for part in range(5):
        y = TOP + HEIGHT - HEIGHT * part / 4
        lines.append(text(LEFT - 6, y + 4, f"{most_looks * part / 4:.0f}", text_anchor="end"))
        lines.append(text(LEFT + WIDTH * part / 4, TOP + HEIGHT + 16, f"{most_files * part // 4:,}".replace(",", " "),
                          text_anchor="middle"))
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join(f"{LEFT + WIDTH * files / most_files:.1f},{TOP + HEIGHT - HEIGHT * looks / most_looks:.1f}"
                          for files, looks in curve)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.append(text(LEFT + WIDTH + 8, TOP + 8 + LINE * i, name, fill=colour))
    return lines


def draw_memory(memory):
    scale = BARS_WIDTH / max(LIMIT_MIB, *(mib for _, mib in memory))
    bottom = TOP + LINE * len(memory)
    lines = [text(BARS_LEFT, TOP - 12, "memory of the daemon, at most until then, MiB", text_anchor="middle")]
    for i, (when, mib) in enumerate(memory):
        y = TOP + LINE * i
        lines.append(text(BARS_LEFT - 6, y + 11, when, text_anchor="end", font_size=11))
        lines.append(f'<rect x="{BARS_LEFT}" y="{y}" width="{mib * scale:.1f}" height="{LINE - 3}" fill="{COLOURS[0]}"/>')
        lines.append(text(BARS_LEFT + mib * scale + 4, y + 11, str(mib), font_size=11))
    limit = BARS_LEFT + LIMIT_MIB * scale
    lines.append(f'<path d="M{limit:.1f} {TOP - 6}V{bottom}" stroke="#a33c3c" stroke-dasharray="4 3"/>')
    lines.append(text(limit, bottom + 14, f"{LIMIT_MIB}: the limit", text_anchor="middle", fill="#a33c3c", font_size=11))
    return lines


def main():
    curves, memory = read(sys.argv[1])
    if not curves or not memory:
        sys.exit(f"growth: {sys.argv[1]} is not what tests/scale.sh prints")
    height = max(TOP + HEIGHT + 40, TOP + LINE * len(memory) + 40)
    with open(sys.argv[2], "w", encoding="utf-8") as svg:
        svg.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="1040" height="{height}" font-family="sans-serif" '
                  f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n')
        svg.write("\n".join(draw_curves(curves) + draw_memory(memory)) + "\n</svg>\n")


main()
