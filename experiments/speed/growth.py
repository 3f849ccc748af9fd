"""Measure how the time of a training step and of scoring grows with image size, width, batch size and Q.

python experiments/speed/growth.py experiments/speed/growth.csv experiments/speed/growth.png [--steps 3]
"""

from __future__ import annotations

import argparse
import csv
import logging
from pathlib import Path

import torch
from benchmark import fast_workspace, images, loops, median_seconds
from matplotlib.figure import Figure

from omasgan.method.settings import Boundary
from omasgan.networks.dcgan import DCGAN
from omasgan.training.batches import Scaling
from omasgan.training.stage import frozen

BASE = {"image size": 28, "width": 32, "batch": 256, "Q": 1024}
"""The values of the quantities that are not varied."""

SWEPT = {
    "image size": [8, 16, 28, 32, 64],
    "width": [16, 32, 64, 128],
    "batch": [64, 128, 256, 512],
    "Q": [256, 1024, 4096, 16384, 65536],
}
"""The values of the quantity that is varied."""

WHAT = ["Task 1, ms a step", "Task 2, ms a step", "scoring by one network, us an image"]
"""What is measured."""


def measured(setting: dict[str, int], steps: int) -> list[float]:
    """Return the times that `WHAT` names, for one setting."""
    shape = (1, setting["image size"], setting["image size"])
    architecture, workspace = DCGAN(width=setting["width"]), fast_workspace()
    boundary = Boundary(N=setting["batch"], Q=setting["Q"], unit="sqrt_k")
    stages = loops(architecture, setting["batch"], steps, workspace, boundary=boundary, shape=shape)
    figures = [1e3 * median_seconds(stages[stage], steps, 3) for stage in ("Task 1", "Task 2")]
    network = frozen(architecture.discriminator(shape)).to(memory_format=torch.channels_last)
    x = images(shape, 2000)
    scaling = Scaling(x)
    with torch.inference_mode(), workspace.autocast():
        figures.append(
            1e6 * median_seconds(lambda: [network(scaling(part)) for part in x.split(500)] and None, 2000, 3)
        )
    return figures


def main() -> None:
    """Vary one quantity at a time with the others at `BASE`, write the table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable()

    rows = [
        (name, value, *measured({**BASE, name: value}, arguments.steps))
        for name, values in SWEPT.items()
        for value in values
    ]
    with arguments.table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["swept", "value", *WHAT], *rows])

    figure = Figure(figsize=(13, 3.4), layout="constrained")
    for ax, (name, values) in zip(figure.subplots(1, len(SWEPT), sharey=True), SWEPT.items(), strict=True):
        for column, what in enumerate(WHAT):
            ax.plot(values, [row[2 + column] for row in rows if row[0] == name], "o-", label=what)
        ax.set(xscale="log", yscale="log", xlabel=name, xticks=values, xticklabels=values)
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(WHAT), frameon=False
    )
    figure.savefig(arguments.picture, dpi=110)


if __name__ == "__main__":
    main()
