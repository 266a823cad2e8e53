#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""plot.py FILE FOLDER: draws the figures of a bench.json as files of SVG, bench-*.svg in a folder.

What the file has no figures of is not drawn.
"""

import pathlib
import sys

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

import chart
import figures
import tables

ONE, TWO = "guest and host, one CPU", "guest and host, two CPUs"
PROCESSES, HUB = "two processes", "hub"
COUNTED, WITH_KERNEL = "both ends in one process", "both ends in one process, with the kernel"


def foot(report, *by):
    """What a plot was measured on, and with."""
    means = {
        "clock": f"Times: {report.machine['processor']}, {report.machine['processors']} CPUs, load {report.machine['load']:.1f} "
                 "before the run",
        "callgrind": f"Instructions: {report.tools.get('callgrind', 'valgrind')}, {report.tools.get('compiler', '')}, without "
                     "the kernel's",
        "icount": f"Instructions with the kernels': {report.tools.get('icount', 'QEMU')} -icount, arm64, Linux "
                  f"{report.tools.get('guest and host kernel', '').removeprefix('Linux ')}",
    }
    about = f"crossvm {report.version} ({report.commit}), {report.date[:10]}, {report.machine['system']}"
    return "\n".join([*(means[one] for one in by), about])


def dots(axis, found, title):
    """Figures as dots in rows, ours first; a whisker from the least to the most."""
    found = sorted(found, key=lambda figure: not chart.is_ours(figure.of))
    for row, figure in enumerate(found):
        colour, mark, _ = chart.look(figure.of)
        axis.errorbar(figure.value, row, xerr=[[figure.value - figure.low], [figure.high - figure.value]], fmt=mark,
                      color=colour, markersize=7, ecolor=chart.INK, elinewidth=1.2, capsize=3)
        axis.annotate(tables.number(figure.value), (figure.high, row), va="center", fontsize=9, xytext=(9, 0),
                      textcoords="offset points")
    axis.set_yticks(range(len(found)), [figure.of for figure in found])
    axis.set_ylim(len(found) - 0.4, -0.6)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(numticks=6))
    axis.xaxis.set_major_formatter(FuncFormatter(chart.count))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlim(min(figure.low for figure in found) / 2, max(figure.high for figure in found) * 8)
    axis.set_title(title)


def lines(axis, found, title):
    """Figures of each as a line over their axis, with all between least and most shaded."""
    for of in dict.fromkeys(figure.of for figure in found):
        points = sorted((figure for figure in found if figure.of == of), key=lambda figure: figure.at)
        colour, mark, stroke = chart.look(of)
        x = range(len(points)) if points[0].axis == "percentile" else [figure.at for figure in points]
        axis.plot(x, [figure.value for figure in points], color=colour, marker=mark, linestyle=stroke, label=of)
        axis.fill_between(x, [figure.low for figure in points], [figure.high for figure in points], color=colour, alpha=0.18,
                          linewidth=0)
        if points[0].axis == "percentile":
            axis.set_xticks(x, ["least" if figure.at == 0 else "most" if figure.at == 100 else f"{figure.at:g}"
                                for figure in points])
    axis.set_yscale("log")
    if max(figure.high for figure in found) < 100 * min(figure.low for figure in found):
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(chart.count))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set_title(title)


def legend_beside(figure, axis):
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", bbox_to_anchor=(0.995, 0.53), fontsize=9.5, handlelength=2.8)


def guest(report):
    """Round trips, messages and streams between a guest and its host."""
    panels = [("round trip", 64, "Round trip of 64 bytes"), ("message to the guest", 64, "64 bytes to the guest"),
              ("message from the guest", 64, "64 bytes from the guest"),
              ("stream to the guest", 65536, "64 KiB of a stream to the guest"),
              ("stream from the guest", 65536, "64 KiB of a stream from it")]
    drawing, axes = plt.subplots(2, 3, figsize=(10.5, 6.2))
    for axis, (name, at, title) in zip(axes.flat, panels):
        dots(axis, report.of(group=ONE, name=name, axis="bytes", at=at), title)
    spinning = report.of(group=TWO, name="round trip, both look first", at=64)
    if spinning:
        dots(axes.flat[5], spinning, "Round trip, awake, two CPUs")
    else:
        axes.flat[5].set_axis_off()
    drawing.subplots_adjust(left=0.095, right=0.985, top=0.87, bottom=0.13, hspace=0.4, wspace=0.42)
    return (drawing, "Between a guest and its host, on one CPU: instructions of all (less is better)",
            "Instructions: connections of crossvm beside virtio-vsock, virtio-net, virtio-serial and raw ivshmem.",
            foot(report, "icount"))


def sizes(report):
    """The cost of a message against its size."""
    drawing, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
    for axis, way in zip(axes, ("to", "from")):
        lines(axis, report.of(group=ONE, name=f"message {way} the guest", axis="bytes"), f"{way.title()} the guest")
        axis.set_xscale("log", base=4)
        axis.set_xticks([64 * 4**i for i in range(6)])
        axis.xaxis.set_major_formatter(FuncFormatter(chart.size))
        axis.set_xlabel("size of a message")
    axes[0].set_ylabel("instructions of a message")
    legend_beside(drawing, axes[0])
    drawing.subplots_adjust(left=0.075, right=0.83, top=0.83, bottom=0.22, wspace=0.07)
    return (drawing, "What a message costs against its size, one CPU",
            "Lines of instructions of a message over its size, 64 bytes to 64 KiB, to the guest and from it.",
            foot(report, "icount"))


def latency(report):
    """Percentiles of round trips between a guest and its host."""
    drawing, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), sharey=True)
    for axis, group, name, title in ((axes[0], ONE, "round trip of 64 bytes", "One CPU, both ends sleep"),
                                     (axes[1], TWO, "round trip of 64 bytes", "A CPU each, both ends sleep")):
        lines(axis, report.of(group=group, name=name, axis="percentile"), title)
        axis.set_xlabel("percentile")
    axes[0].set_ylabel("instructions of a round trip")
    legend_beside(drawing, axes[0])
    drawing.subplots_adjust(left=0.075, right=0.83, top=0.83, bottom=0.22, wspace=0.07)
    return (drawing, "How round trips of 64 bytes between a guest and its host are distributed",
            "Lines of instructions of a round trip over percentiles, on one CPU and with a CPU for each end.",
            foot(report, "icount"))


def processes(report):
    """A channel and its rivals on one machine, in instructions."""
    drawing, axes = plt.subplots(1, 2, figsize=(10.5, 4.2))
    dots(axes[0], report.of(group=COUNTED, name="message of 64 bytes"), "x86-64, without the kernel's")
    dots(axes[1], report.of(group=WITH_KERNEL, name="message of 64 bytes"), "arm64, with the kernel's")
    drawing.subplots_adjust(left=0.13, right=0.985, top=0.83, bottom=0.21, wspace=0.42)
    return (drawing, "Instructions of a message of 64 bytes, sent and received (less is better)",
            "Instructions of a message of a channel and of its rivals, with and without the kernel's.",
            foot(report, "callgrind", "icount"))


def times(report):
    """A channel and its rivals between two processes: messages a second, and the distribution of latencies."""
    drawing, axes = plt.subplots(1, 2, figsize=(10.5, 4.6))
    dots(axes[0], report.of(group=PROCESSES, name="messages of 64 bytes"), "Million messages a second (more is better)")
    lines(axes[1], report.of(group=PROCESSES, name="one way", axis="percentile"), "µs of one way, by percentile")
    legend_beside(drawing, axes[1])
    drawing.subplots_adjust(left=0.16, right=0.81, top=0.83, bottom=0.19, wspace=0.16)
    return (drawing, "Two processes, messages of 64 bytes one at a time: times",
            "Messages a second, and times of one way over percentiles, of a channel and of its rivals.", foot(report, "clock"))


def connections(report):
    """What an event costs against the number of connections of a hub."""
    drawing, axes = plt.subplots(1, 2, figsize=(10.5, 4.2))
    names = ("event to the guest", "event from the guest", "event to each guest in turn", "event from each guest in turn")
    for axis, (by, title) in zip(axes, (("callgrind", "Instructions of the hub"), ("clock", "µs, both ends and the kernel"))):
        for name, (colour, mark, stroke) in zip(names, (("#1f77c9", "o", "-"), ("#c2570c", "^", "-"), ("#2a9d8f", "s", "--"),
                                                        ("#d4458f", "v", "--"))):
            found = sorted(report.of(group=HUB, name=name, by=by), key=lambda figure: figure.at)
            x = [figure.at for figure in found]
            y = [figure.value if by == "callgrind" else figure.low for figure in found]
            axis.plot(x, y, color=colour, marker=mark, linestyle=stroke, label=name)
        axis.set_xscale("log")
        axis.set_xticks([1, 32, 240, 1000])
        axis.xaxis.set_major_formatter(FuncFormatter(lambda number, _: tables.number(number)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylim(bottom=0)
        axis.set_xlabel("connections of the hub")
        axis.set_title(title if by == "callgrind" else f"{title}, the least of 15 runs")
    legend_beside(drawing, axes[0])
    drawing.subplots_adjust(left=0.06, right=0.735, top=0.83, bottom=0.25, wspace=0.2)
    return (drawing, "What an event costs against the number of connections (vfio-user)",
            "Lines of instructions and of times of an event over 1 to 1,000 connections of a hub.",
            foot(report, "callgrind", "clock"))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FILE FOLDER")
    try:
        report = figures.load(pathlib.Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        sys.exit(f"plot.py: {error}")
    groups = {figure.group for figure in report.figures}
    plots = {"guest": (guest, {ONE}), "sizes": (sizes, {ONE}), "latency": (latency, {ONE, TWO}),
             "processes": (processes, {COUNTED, WITH_KERNEL}), "times": (times, {PROCESSES}), "connections": (connections, {HUB})}
    for name, (draw, needed) in plots.items():
        if needed <= groups:
            path = pathlib.Path(sys.argv[2]) / f"bench-{name}.svg"
            drawing, *texts = draw(report)
            chart.save(drawing, path, *texts)
            plt.close(drawing)
            print(f"[bench] {path}")


if __name__ == "__main__":
    main()
