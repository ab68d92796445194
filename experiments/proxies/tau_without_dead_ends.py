#!/usr/bin/env python3
"""Kendall's tau-b of a run's metrics over the cells that have no dead ends, which is the sample
that published tables take: every operator of a cell depends on its input and reaches its output.

    experiments/proxies/tau_without_dead_ends.py RUN_FOLDER nasbench201.csv [COLUMN...]
"""

import csv
import sys
from math import sqrt
from pathlib import Path

NO_METRICS = {"point", "arch", "canonical", "valid", "feasible", "reason", "accuracy"}


def has_dead_ends(arch):
    edges = {}
    for target, node in enumerate(arch.split("+"), start=1):
        for word in node.strip("|").split("|"):
            operator, source = word.split("~")
            if operator != "none":
                edges[int(source), target] = operator
    fed, needed = {0}, {3}
    for target in (1, 2, 3):
        if any((source, target) in edges and source in fed for source in range(target)):
            fed.add(target)
    for source in (2, 1, 0):
        if any((source, target) in edges and target in needed for target in range(source + 1, 4)):
            needed.add(source)
    return any(source not in fed or target not in needed for source, target in edges)


def kendall(x, y):
    agreeing = ties_x = ties_y = 0
    for i in range(len(x)):
        for j in range(i):
            a, b = (x[i] > x[j]) - (x[i] < x[j]), (y[i] > y[j]) - (y[i] < y[j])
            agreeing += a * b
            ties_x += a == 0
            ties_y += b == 0
    pairs = len(x) * (len(x) - 1) // 2
    return agreeing / sqrt((pairs - ties_x) * (pairs - ties_y))


def main(run, table, *columns):
    columns = columns or ("cifar10_test", "cifar100_test", "in16_test")
    with open(table, newline="") as file:
        accuracies = {row["arch_str"]: row for row in csv.DictReader(file)}
    with open(Path(run) / "candidates.csv", newline="") as file:
        cells = [row for row in csv.DictReader(file) if not has_dead_ends(row["arch"])]
    print(f"{len(cells)} cells{'':10}", *(f"{column:>14}" for column in columns))
    for metric in cells[0]:
        known = [cell for cell in cells if metric not in NO_METRICS and cell[metric]]
        if not known:
            continue
        values = [float(cell[metric]) for cell in known]
        taus = (kendall(values, [float(accuracies[cell["arch"]][c]) for cell in known]) for c in columns)
        print(f"{metric:20}", *(f"{tau:14.3f}" for tau in taus))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
