#!/usr/bin/env python3
"""Spearman's rho between our values and NASLib's, proxy by proxy, and how far noise lets it go.

    cut -d, -f2 zc_proxies_cifar10_500.csv | tail -n +2 > cells.txt
    for seed in 1 2 3 4; do
      thimble score experiments/proxies/naslib.yaml seed=$seed --archs cells.txt --json --data DIR > draw$seed.jsonl
    done
    experiments/proxies/spearman_with_naslib.py zc_proxies_cifar10_500.csv draw*.jsonl

Every draw has weights and batches of its own for each cell, as NASLib's values have: `one` is the rho of
one draw with the published values, `all` that of our mean rank over the draws. `own` is the rho of two of
our draws with each other: where the published values are one more draw of the same measure, `one` equals
it, and no value without noise can have more than its root with them, which is the last column. Means, and
95 % intervals by resampling the cells. The CSV has a column arch_str and one for each proxy; flops and
params are compared with the counts.
"""

import csv
import itertools
import json
import random
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


def agreement(published, draws):
    """Of equally long lists: the rhos called one, all and own above; of a single draw, the first."""
    one = sum(spearman(draw, published) for draw in draws) / len(draws)
    if len(draws) == 1:
        return (one,)
    ranks = [mid_ranks(draw) for draw in draws]
    pairs = [spearman(a, b) for a, b in itertools.combinations(draws, 2)]
    return one, spearman([sum(of_cell) for of_cell in zip(*ranks)], published), sum(pairs) / len(pairs)


def resampled(published, draws, times=200):
    """The middle 95 % of each of the rhos."""
    source = random.Random(1)
    found = []
    for _ in range(times):
        chosen = source.choices(range(len(published)), k=len(published))
        found.append(agreement([published[i] for i in chosen], [[d[i] for i in chosen] for d in draws]))
    for rhos in zip(*found):
        ordered = sorted(rhos)
        yield ordered[int(0.025 * times)], ordered[int(0.975 * times)]


def main(table, *files):
    with open(table, newline="") as file:
        published = {row["arch_str"]: row for row in csv.DictReader(file)}
    draws = []
    for name in files:
        with open(name) as file:
            draws.append(dict(map(values_of, file)))
    cells = [cell for cell in published if all(cell in draw for draw in draws)]
    titles = f"{'all':21} {'own':21} root of own" if len(draws) > 1 else ""
    print(f"{len(cells)} cells, {len(draws)} draws\n{'':10} {'one':21} {titles}")
    for proxy in sorted(draws[0][cells[0]]):
        known = [c for c in cells if published[c].get(proxy) and all(d[c].get(proxy) is not None for d in draws)]
        if not known:
            continue
        theirs = [float(published[cell][proxy]) for cell in known]
        ours = [[draw[cell][proxy] for cell in known] for draw in draws]
        rhos = agreement(theirs, ours)
        columns = [f"{rho:.3f} [{low:.3f}, {high:.3f}]" for rho, (low, high) in zip(rhos, resampled(theirs, ours))]
        if len(draws) > 1:
            columns.append(f"{max(rhos[-1], 0) ** 0.5:.3f}")
        print(f"{proxy:10}", *columns, f"({len(known)} cells)")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
