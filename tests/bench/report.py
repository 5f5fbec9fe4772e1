# SPDX-License-Identifier: LGPL-2.1-or-later
"""Table and chart of what scripts/bench has measured."""
from html import escape

from peers import GOCRYPTFS, KERNEL, NULL, SEALDRIVE

LIMITS = (KERNEL, NULL)  # what Sealdrive is held against, but does not compete with


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(rates, other):
    ours, theirs = rates.get(SEALDRIVE), rates.get(other)
    return ours / theirs if ours and theirs else None


def best_other(rates):
    """The fastest FUSE peer but gocryptfs."""
    others = {name: rate for name, rate in rates.items() if rate and name not in (*LIMITS, GOCRYPTFS, SEALDRIVE)}
    return max(others, key=others.get) if others else None


def held(value, target):
    if value is None:
        return "-"
    if target is None:
        return number(value)
    return f"{number(value)} {'>=' if value >= target else '< '} {target:g}"


def table(results, names):
    head = ["", "", *names, "/gocryptfs", "/kernel", "/null", "/best other"]
    rows = [head]
    for result in results:
        rates = result["rates"]
        other = best_other(rates)
        rows.append([result["work"], result["unit"], *(number(rates.get(name)) for name in names),
                     held(ratio(rates, GOCRYPTFS), result["targets"]["gocryptfs"]),
                     held(ratio(rates, KERNEL), result["targets"]["kernel"]),
                     held(ratio(rates, NULL), result["targets"]["null"]),
                     f"{held(ratio(rates, other), 1)} {other}" if other and ratio(rates, other) else "-"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


COLOURS = {SEALDRIVE: "#1f6f50", KERNEL: "#9a9a9a", GOCRYPTFS: "#c47b2b"}
BAR, ROW, LEFT, WIDTH = 10, 44, 230, 900


def bar(y, name, rate, most):
    width = (WIDTH - LEFT - 90) * rate / most
    return (f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 1}" fill="{COLOURS[name]}"/>'
            f'<text x="{LEFT + width + 5:.1f}" y="{y + BAR - 2}" font-size="10">{number(rate)}</text>')


def chart(results, subtitle):
    """Bars of Sealdrive, gocryptfs and the kernel, each work scaled by its fastest."""
    lines, y = [], 64
    shown = [name for name in (SEALDRIVE, GOCRYPTFS, KERNEL)]
    for result in results:
        rates = {name: result["rates"].get(name) for name in shown}
        most = max((rate for rate in rates.values() if rate), default=None)
        if not most:
            continue
        lines.append(f'<text x="{LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(result["work"])}'
                     f'<tspan font-size="10" fill="#666"> {escape(result["unit"])}</tspan></text>')
        lines += [bar(y + i * BAR, name, rates[name], most) for i, name in enumerate(shown) if rates[name]]
        y += ROW
    legend = "".join(f'<rect x="{LEFT + i * 220}" y="36" width="10" height="10" fill="{COLOURS[name]}"/>'
                     f'<text x="{LEFT + i * 220 + 15}" y="45">{title}</text>' for i, (name, title) in enumerate(
                         ((SEALDRIVE, "Sealdrive"), (GOCRYPTFS, "gocryptfs"), (KERNEL, "kernel's ext4, unencrypted"))))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="{LEFT}" y="22" font-size="13">{escape(subtitle)}</text>{legend}' + "\n".join(lines) + "</svg>\n")
