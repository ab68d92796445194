#!/usr/bin/env python3
"""mAP50 of one class with an interval, by drawing test images with replacement; Python's standard library alone.

    detection_intervals.py BASELINE EVALUATED...

Folders are those that `thimble evaluate --output` wrote with train.task.score=0.001, so that their boxes are all that
count; of them int8 is taken. Of each come mAP50 in per cent, its 95 % interval, and that of what it has more than the
baseline in the same draws.
"""
import csv
import pathlib
import random
import sys

DRAWS = 1000
IMAGES = 175  # of coco_person, for testing


def overlap(a, b):
    def common(centre, side):
        return max(0.0, min(a[centre] + a[side] / 2, b[centre] + b[side] / 2)
                   - max(a[centre] - a[side] / 2, b[centre] - b[side] / 2))
    both = common("x", "width") * common("y", "height")
    return both / (a["width"] * a["height"] + b["width"] * b["height"] - both)


def matched(file):
    """Boxes as (score, image, whether it is right), the best first; how many things each image has."""
    found, truths = {}, {}
    with open(file, newline="") as stream:
        for row in csv.DictReader(stream):
            box = {key: float(row[key]) for key in ("score", "x", "y", "width", "height")}
            (found if row["kind"] == "found" else truths).setdefault(int(row["image"]), []).append(box)
    all_boxes = []
    for image, boxes in found.items():
        free = list(truths.get(image, []))
        for box in sorted(boxes, key=lambda one: -one["score"])[:100]:
            best = max(free, key=lambda truth: overlap(box, truth), default=None)
            is_right = best is not None and overlap(box, best) >= 0.5
            if is_right:
                free.remove(best)
            all_boxes.append((box["score"], image, is_right))
    all_boxes.sort(key=lambda one: -one[0])
    return all_boxes, {image: len(boxes) for image, boxes in truths.items()}


def precision(boxes, things, times):
    """Average precision at 101 recalls, where an image counts so many times."""
    there = sum(count * times[image] for image, count in things.items())
    right = told = 0
    points = []
    for _, image, is_right in boxes:
        if times[image]:
            told += times[image]
            if is_right:
                right += times[image]
                points.append((right, right / told))
    highest, sums, step = 0.0, 0.0, len(points)
    for i in range(100, -1, -1):
        while step > 0 and points[step - 1][0] >= i / 100 * there - 1e-9:
            step -= 1
            highest = max(highest, points[step][1])
        sums += highest
    return 100 * sums / 101


def interval(values):
    ordered = sorted(values)
    return f"{ordered[int(0.025 * DRAWS)]:.1f} to {ordered[int(0.975 * DRAWS) - 1]:.1f}"


def main(folders):
    if len(folders) < 2:
        sys.exit(__doc__)
    networks = [(folder.name, *matched(folder / "int8_boxes.csv")) for folder in map(pathlib.Path, folders)]
    once = [1] * IMAGES
    draws = [[0] * IMAGES for _ in range(DRAWS)]
    chance = random.Random(1)
    for times in draws:
        for image in chance.choices(range(IMAGES), k=IMAGES):
            times[image] += 1
    drawn = [[precision(boxes, things, times) for times in draws] for _, boxes, things in networks]
    print("network, mAP50, interval, more than the baseline, above it in draws")
    for (name, boxes, things), values in zip(networks, drawn):
        more = [own - other for own, other in zip(values, drawn[0])]
        above = sum(one > 0 for one in more) / DRAWS
        print(f"{name}, {precision(boxes, things, once):.2f}, {interval(values)}, {interval(more)}, {above:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
