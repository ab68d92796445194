#!/usr/bin/env python3
"""Proxies that are noisy, on PyTorch's own modules and without thimble: how well two draws agree.

    experiments/proxies/naslib_on_pytorch.py zc_proxies_cifar10_500.csv data_batch_1.bin [CELLS [DRAWS]]

Every cell and draw has weights and a batch of its own, as in NASLib's runner. Prints Spearman's rho between
draws, and of each draw with the published values. Needs PyTorch and numpy (Debian: python3-torch).
"""

import csv
import itertools
import sys
import zlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from spearman_with_naslib import spearman

BATCH = 64
MEAN, DEVIATION = [0.491, 0.482, 0.447], [0.247, 0.244, 0.262]


class ReluConvNorm(nn.Sequential):
    def __init__(self, inputs, outputs, kernel, stride=1):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))


def operation(name, channels):
    if name.startswith("nor_conv"):
        return ReluConvNorm(channels, channels, int(name[-1]))
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Identity()


class Cell(nn.Module):
    """Written as NAS-Bench-201 does: |op~0|+|op~0|op~1|+|op~0|op~1|op~2|."""

    def __init__(self, text, channels):
        super().__init__()
        self.terms = nn.ModuleList()
        self.sources = []
        for node in text.split("+"):
            edges = [edge.split("~") for edge in node.strip("|").split("|")]
            edges = [(name, int(source)) for name, source in edges if name != "none"]
            self.sources.append([source for _, source in edges])
            self.terms.append(nn.ModuleList(operation(name, channels) for name, _ in edges))

    def forward(self, x):
        nodes = [x]
        for sources, terms in zip(self.sources, self.terms):
            parts = [term(nodes[source]) for source, term in zip(sources, terms)]
            nodes.append(sum(parts) if parts else torch.zeros_like(x))
        return nodes[-1]


class Reduction(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = ReluConvNorm(channels, 2 * channels, 3, 2)
        self.second = ReluConvNorm(2 * channels, 2 * channels, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, 2 * channels, 1, bias=False))

    def forward(self, x):
        return self.shortcut(x) + self.second(self.first(x))


def network(text, channels=16, cells=5, classes=10):
    layers = [nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)]
    for stage in range(3):
        if stage > 0:
            layers.append(Reduction(channels))
            channels *= 2
        layers += [Cell(text, channels) for _ in range(cells)]
    layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(channels, classes))


def draw_batch(records, random):
    """Flipped, and shifted by at most four pixels, as in training."""
    chosen = records[random.choice(len(records), BATCH, replace=False)]
    images = chosen[:, 1:].reshape(-1, 3, 32, 32) / 255
    images = (images - np.reshape(MEAN, (3, 1, 1))) / np.reshape(DEVIATION, (3, 1, 1))
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)))
    for image, source in zip(images, padded):
        y, x = random.randint(0, 9, 2)
        window = source[:, y : y + 32, x : x + 32]
        image[:] = window[..., ::-1] if random.rand() < 0.5 else window
    return torch.tensor(images, dtype=torch.float), torch.tensor(chosen[:, 0].astype(int))


def epe_nas(net, images, labels):
    images = images.clone().requires_grad_()
    rows = torch.autograd.grad(net(images).sum(), images)[0].flatten(1).numpy()
    score = 0
    for label in labels.unique():
        of_class = rows[(labels == label).numpy()]
        if len(of_class) > 1:
            score += abs(np.log(abs(np.corrcoef(of_class)) + 1e-5).sum())
    return score


def scores(net, images, labels):
    weights = [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    loss = F.cross_entropy(net(images), labels)
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    pairs = [(w, g) for w, g in zip(weights, gradients) if g is not None]
    product = sum((g.detach() * g).sum() for _, g in pairs)
    curved = torch.autograd.grad(product, [w for w, _ in pairs], allow_unused=True)
    return {
        "epe_nas": epe_nas(net, images, labels),
        "grad_norm": sum(g.norm().item() for _, g in pairs),
        "grasp": -sum((w * h).sum().item() for (w, _), h in zip(pairs, curved) if h is not None),
        "l2_norm": sum(w.norm().item() for w in weights),
        "plain": sum((w * g).sum().item() for w, g in pairs),
    }


def main(table, record_file, cells=50, draws=2):
    torch.set_num_threads(1)
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // cells)][:cells]
    records = np.fromfile(record_file, np.uint8).reshape(-1, 3073)
    found = []
    for draw in range(draws):
        found.append([])
        for row in rows:
            seed = zlib.crc32(f"{row['arch_str']} {draw}".encode())
            torch.manual_seed(seed)
            batch = draw_batch(records, np.random.RandomState(seed))
            found[-1].append(scores(network(row["arch_str"]), *batch))
    for name in found[0][0]:
        values = [[one[name] for one in draw] for draw in found]
        published = [float(row[name]) for row in rows]
        own = [f"{spearman(a, b):.3f}" for a, b in itertools.combinations(values, 2)]
        print(f"{name:10} own {' '.join(own)}  published", *(f"{spearman(v, published):.3f}" for v in values))


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
