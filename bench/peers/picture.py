"""The picture: fastest peer / Tandem static for every workload, one and more threads. Needs matplotlib."""
import math

from . import table

GREY, COLOURS = "#7a7f87", ("#2f81f7", "#e3872d")     # readable on white and on black
GROUPS = (("overhead", "memory"), ("matmul", "networks"))


def ticks(low, high):
    wanted = [0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 30, 100, 300, 1000, 3000]
    inside = [t for t in wanted if low <= t <= high]
    return inside if len(inside) < 7 else [t for t in inside if math.log10(t) % 1 == 0]


def panel(ax, doc, group, runs):
    names = [n for n, w in doc["workloads"].items() if w["group"] == group]
    drawn, height = [1.0], 0.8 / len(runs)
    for k, threads in enumerate(runs):
        for i, name in enumerate(names):
            r = table.ratio(doc["runs"][threads].get(name, {}))
            if r:
                y = i + (k - (len(runs) - 1) / 2) * height
                ax.barh(y, r - 1, left=1, height=height * 0.88, color=COLOURS[k % 2])
                ax.annotate(f"{r:.2f}" if r < 10 else f"{r:.0f}", (max(r, 1), y), xytext=(3, 0), va="center",
                            textcoords="offset points", color=GREY, fontsize=7)
                drawn.append(r)
    low, high = min(drawn) * 0.93, max(drawn) * (max(drawn) / min(drawn)) ** 0.14 * 1.04
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    marks = ticks(low, high)
    ax.set_xticks(marks, [f"{t:g}" for t in marks])
    ax.minorticks_off()
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.axvline(1, color=GREY, linewidth=1)
    ax.set_title(group, loc="left", color=GREY, fontsize=10, fontweight="bold")
    ax.tick_params(colors=GREY, labelsize=8, length=0)
    ax.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ax.spines.values():
        side.set_visible(False)


def draw(doc, path):
    import matplotlib
    matplotlib.use("svg")
    style = {"svg.fonttype": "none", "svg.hashsalt": "tandem", "font.family": "sans-serif"}
    matplotlib.rcParams.update(style)
    import matplotlib.pyplot as plt
    runs = list(doc["runs"])
    counts = {g: sum(w["group"] == g for w in doc["workloads"].values()) for row in GROUPS for g in row}
    used = [[g for g in row if counts[g]] for row in GROUPS]
    columns = [c for c in used if c]
    tall = max(sum(counts[g] + 2 for g in c) for c in columns)
    fig = plt.figure(figsize=(5.2 * len(columns), 0.9 + 0.27 * tall))
    outer = fig.add_gridspec(1, len(columns), wspace=0.34, left=0.14 / len(columns) * 2, right=0.985,
                             top=1 - 0.75 / fig.get_figheight(), bottom=0.3 / fig.get_figheight())
    for i, column in enumerate(columns):
        grid = outer[i].subgridspec(len(column), 1, height_ratios=[counts[g] for g in column], hspace=0.28)
        for k, group in enumerate(column):
            panel(fig.add_subplot(grid[k]), doc, group, runs)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[k % 2]) for k in range(len(runs))]
    fig.legend(handles, [table.threads_text(t) for t in runs], loc="upper right", ncols=2, frameon=False,
               labelcolor=GREY, fontsize=9)
    fig.text(0.01, 1 - 0.14 / fig.get_figheight(), color=GREY, fontsize=10, va="top",
             s="Time of the fastest peer / time of Tandem static (above 1: Tandem is ahead)")
    fig.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
