# SPDX-License-Identifier: BSD-2-Clause
"""Figures as text: what was measured, and how it differs from a release."""


def number(value):
    """A value with three digits that count, or all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def lines(rows):
    """Rows of words as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join([row[0].ljust(widths[0])] + [word.rjust(width) for word, width in zip(row[1:], widths[1:])])
            .rstrip() for row in rows]


def ordered(values):
    return list(dict.fromkeys(values))


def table(figures):
    """One group: what was measured in rows, whose it is in columns. Percentiles are left to the plots."""
    figures = [figure for figure in figures if figure.axis != "percentile"]
    columns = ordered(figure.of for figure in figures)
    rows = ordered((figure.title, figure.unit) for figure in figures)
    cells = {(figure.title, figure.unit, figure.of): number(figure.value) for figure in figures}
    return lines([["", "", *columns]] +
                 [[title, unit, *(cells.get((title, unit, of), "-") for of in columns)] for title, unit in rows])


def is_better(figure, before):
    """Whether a change is for the better: less of all but rates."""
    return (figure.value > before.value) == (figure.unit in ("M/s", "GB/s"))


def comparison(report, release):
    """What repeats, beside the same of a release: what changed by more than 1 % and more than either spread."""
    earlier = {figure.key: figure for figure in release.figures}
    shared = [(figure, earlier[figure.key]) for figure in report.figures if figure.key in earlier]
    counted = [pair for pair in shared if pair[0].by != "clock" and pair[0].axis != "percentile"]
    changed = [(figure, before) for figure, before in counted
               if abs(figure.value - before.value) > 0.01 * before.value
               and (figure.value > before.high or figure.value < before.low)]
    rows = [["", "", release.version, report.version, "", ""]]
    for figure, before in changed:
        percent = 100 * (figure.value / before.value - 1) if before.value else float("inf")
        rows.append([f"{figure.group}: {figure.title}", figure.of, number(before.value), number(figure.value),
                     f"{percent:+.1f} %", "better" if is_better(figure, before) else "WORSE"])
    head = f"{len(counted)} counted figures are in both; {len(changed)} differ from {release.version} by more than 1 %"
    return [head] + (lines(rows) if changed else [])
