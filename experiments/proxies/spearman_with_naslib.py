#!/usr/bin/env python3
"""Spearman's rho between our values and NASLib's, proxy by proxy.

    thimble score experiments/proxies/naslib.yaml --archs FILE --json --data DIR > ours.jsonl
    experiments/proxies/spearman_with_naslib.py ours.jsonl zc_proxies_cifar10_500.csv

The CSV has a column arch_str and one for each proxy; flops and params are compared with the counts.
Another file of ours, ending in .jsonl, can stand in its place: how two draws of ours agree.
"""

import csv
import json
import sys


def mid_ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for place in range(first, last + 1):
            ranks[order[place]] = (first + last) / 2
        first = last + 1
    return ranks


def spearman(x, y):
    x, y = mid_ranks(x), mid_ranks(y)
    mean = (len(x) - 1) / 2
    products = sum((a - mean) * (b - mean) for a, b in zip(x, y))
    squares = sum((a - mean) ** 2 for a in x) * sum((b - mean) ** 2 for b in y)
    return products / squares**0.5


def values_of(line):
    ours = json.loads(line)
    return ours["arch"], {**ours["proxies"], "flops": ours["macs"], "params": ours["params"]}


def read(name):
    """Values by architecture and proxy, as numbers or text; None or "" where there is none."""
    with open(name, newline="") as file:
        if name.endswith(".jsonl"):
            return dict(map(values_of, file))
        return {row["arch_str"]: row for row in csv.DictReader(file)}


def main(ours_file, other_file):
    others = read(other_file)
    pairs = {}
    for arch, ours in read(ours_file).items():
        for name, value in ours.items():
            other = others.get(arch, {}).get(name)
            if value is not None and other not in (None, ""):
                pairs.setdefault(name, []).append((value, float(other)))
    for name, values in sorted(pairs.items()):
        print(f"{name:10} {spearman(*zip(*values)):7.4f}  {len(values)} cells")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
