#!/usr/bin/env python3
"""How far two machines or LibTorches agree: for every proxy, the largest relative difference of its values, and how
many pairs of networks the two put in different orders. Values that differ by less than TIE (relative) are a tie.

    thimble score FILE --archs cells.txt --json >one.jsonl        # on the one; likewise on the other
    experiments/proxies/compare_scores.py one.jsonl other.jsonl [TIE=1e-5]
"""

import json
import sys


def scores_of(file):
    with open(file) as lines:
        return {score["arch"]: score["proxies"] for score in map(json.loads, lines) if score["valid"]}


def distance(x, y):
    return abs(x - y) / max(abs(x), abs(y), 1e-300)


def swapped_pairs(one, other, tie):
    swapped = 0
    for i in range(len(one)):
        for j in range(i):
            is_tie = distance(one[i], one[j]) < tie or distance(other[i], other[j]) < tie
            swapped += not is_tie and (one[i] > one[j]) != (other[i] > other[j])
    return swapped


def main(one, other, tie="1e-5"):
    one, other = scores_of(one), scores_of(other)
    if one.keys() != other.keys():
        sys.exit(f"not the same networks are valid: {len(one)} and {len(other)}")
    print(f"{len(one)} networks{'':8} difference  swapped pairs")
    for proxy in next(iter(one.values())):
        pairs = [(one[arch][proxy], other[arch][proxy]) for arch in one]
        if any((x is None) != (y is None) for x, y in pairs):
            sys.exit(f"{proxy}: only one of the two has a value of some network")
        known = [pair for pair in pairs if pair[0] is not None]
        largest = max(distance(x, y) for x, y in known)
        swapped = swapped_pairs(*zip(*known), float(tie))
        print(f"{proxy:20} {largest:10.1e} {swapped:14}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
