#!/usr/bin/env python3
"""Pictures of detection.yaml, as SVG files, by Python's standard library alone.

    detection_figures.py boxes EVALUATED DATA OUT.svg      boxes on test images of coco_person
    detection_figures.py mosaic EVALUATED DATA OUT.svg     the same, photographs as 24x24 coarse pixels
    detection_figures.py curve OUT.svg EVALUATED...        precision against recall
    detection_figures.py macs OUT.svg RUN...               mAP50 against MACs

EVALUATED is a folder that `thimble evaluate --output` wrote, of which int8 is taken, RUN one of `thimble
run`. A mosaic can be shown where the photographs, which are their owners', cannot.
"""
import base64
import csv
import pathlib
import struct
import sys
import zlib

COLOURS = ["#1b6ca8", "#c8553d", "#588157", "#8e6c8a", "#bc8a2f", "#555555"]


def rows(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def table(evaluated, name):
    """Of int8 where it was made."""
    files = sorted(evaluated.glob(f"*_{name}.csv"))
    return next((file for file in files if file.name.startswith("int8_")), files[0])


def svg(width, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="12">\n<rect width="{width}" height="{height}" '
            f'fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")


def jpeg_size(content):
    """Width and height from the frame's header."""
    at = 2
    while at < len(content):
        marker, length = content[at + 1], struct.unpack(">H", content[at + 2:at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5:at + 9])
            return width, height
        at += 2 + length
    raise ValueError("no JPEG")


def test_images(data):
    """In the order of the dataset: by name, those that a row says are for testing."""
    names = {row["image"] for row in rows(data / "labels.csv") if row["split"] == "val"}
    return [data / "images" / f"{name}.jpg" for name in sorted(names)]


def photograph(file, x, y, side):
    content = file.read_bytes()
    width, height = jpeg_size(content)
    factor = side / max(width, height)
    left, top = x + (side - factor * width) / 2, y + (side - factor * height) / 2
    return [f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="#727272"/>',
            f'<image x="{left}" y="{top}" width="{factor * width}" height="{factor * height}" '
            f'href="data:image/jpeg;base64,{base64.b64encode(content).decode()}"/>']


def npy(file):
    """What stands behind the header of an array of NumPy, version 1."""
    content = file.read_bytes()
    return content[10 + struct.unpack("<H", content[8:10])[0]:]


def png(pixels, side):
    """Of rows of red, green and blue."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    lines = b"".join(b"\0" + pixels[3 * side * i:3 * side * (i + 1)] for i in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def coarse(file, x, y, side):
    """Means of 4x4 pixels of the letterboxed image of 96x96."""
    data, cells, fine = file.parent.parent, 24, 96
    ids = npy(data / "image_id_i32.npy")
    place = [i for i, in struct.iter_unpack("<i", ids)].index(int(file.stem))
    image = npy(data / "X96_u8.npy")[3 * fine * fine * place:][:3 * fine * fine]
    step = fine // cells
    pixels = bytes(
        sum(image[(channel * fine + step * row + i) * fine + step * column + k]
            for i in range(step) for k in range(step)) // step ** 2
        for row in range(cells) for column in range(cells) for channel in range(3))
    return [f'<image x="{x}" y="{y}" width="{side}" height="{side}" '
            f'style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{base64.b64encode(png(pixels, cells)).decode()}"/>']


def picture(image, boxes, x, y, side):
    made = image
    for box in boxes:
        w, h = float(box["width"]) * side, float(box["height"]) * side
        bx, by = x + float(box["x"]) * side - w / 2, y + float(box["y"]) * side - h / 2
        is_found = box["kind"] == "found"
        dashes = "" if is_found else ' stroke-dasharray="4 3"'
        made.append(f'<rect x="{bx:.1f}" y="{by:.1f}" width="{w:.1f}" height="{h:.1f}" fill="none" '
                    f'stroke="{"#ffd166" if is_found else "#06d6a0"}" stroke-width="2"{dashes}/>')
        if is_found:
            made.append(f'<text x="{bx + 2:.1f}" y="{by + 12:.1f}" fill="#ffd166">'
                        f'{float(box["score"]):.2f}</text>')
    return made


def boxes(evaluated, data, out, drawn):
    """The first images with a person: those that are there dashed, those that were found not."""
    files = test_images(data)
    by_image = {}
    for row in rows(table(evaluated, "boxes")):
        by_image.setdefault(int(row["image"]), []).append(row)
    chosen = [image for image in sorted(by_image)
              if any(row["kind"] == "truth" and float(row["height"]) > 0.2
                     for row in by_image[image])][:12]
    side, gap, columns = 200, 6, 4
    body = []
    for place, image in enumerate(chosen):
        x, y = gap + place % columns * (side + gap), gap + place // columns * (side + gap)
        body += picture(drawn(files[image], x, y, side), by_image[image], x, y, side)
    lines = -(-len(chosen) // columns)
    out.write_text(svg(columns * (side + gap) + gap, lines * (side + gap) + gap, body))


def axes(x_label, y_label, most_x, most_y):
    body = ['<path d="M60 20V340H500" fill="none" stroke="#333"/>']
    for i in range(6):
        x, y = 60 + 88 * i, 340 - 64 * i
        body.append(f'<text x="{x}" y="358" text-anchor="middle">{most_x * i / 5:g}</text>')
        body.append(f'<text x="54" y="{y + 4}" text-anchor="end">{most_y * i / 5:g}</text>')
        body.append(f'<path d="M60 {y}H500" stroke="#ddd"/>')
    body.append(f'<text x="280" y="380" text-anchor="middle">{x_label}</text>')
    body.append(f'<text x="16" y="180" text-anchor="middle" transform="rotate(-90 16 180)">'
                f'{y_label}</text>')
    return body


def legend(place, text):
    colour = COLOURS[place % len(COLOURS)]
    return f'<text x="330" y="{36 + 16 * place}" fill="{colour}">{text}</text>'


def curve(out, folders):
    body = axes("recall / %", "precision / %", 100, 100)
    for place, folder in enumerate(folders):
        file = table(folder, "precision_recall")
        points = [f'{60 + 4.4 * float(row["recall"]):.0f},{340 - 3.2 * float(row["precision"]):.0f}'
                  for row in rows(file)]
        points = [point for point, before in zip(points, [""] + points) if point != before]
        body.append(f'<polyline points="{" ".join(points)}" fill="none" '
                    f'stroke="{COLOURS[place % len(COLOURS)]}"/>')
        body.append(legend(place, folder.name))
    out.write_text(svg(540, 400, body))


def macs(out, runs):
    """A point a training, in int8 where it was made."""
    found = [(run.name, [row for row in rows(run / "trained.csv")]) for run in runs]
    metric = "int8_map50" if "int8_map50" in found[0][1][0] else "map50"
    points = [(name, float(row["macs"]) / 1e6, float(row[metric]))
              for name, each in found for row in each if row.get(metric)]
    most_x = max(x for _, x, _ in points) * 1.1
    most_y = max(10, 10 * (int(max(y for _, _, y in points) / 10) + 1))
    body = axes("MMACs", f"{metric} / %", round(most_x, 1), most_y)
    names = [name for name, _ in found]
    for name, x, y in points:
        place = names.index(name)
        body.append(f'<circle cx="{60 + 440 * x / round(most_x, 1):.1f}" '
                    f'cy="{340 - 320 * y / most_y:.1f}" r="4" fill-opacity="0.7" '
                    f'fill="{COLOURS[place % len(COLOURS)]}"/>')
    body += [legend(place, name) for place, name in enumerate(names)]
    out.write_text(svg(540, 400, body))


def main(arguments):
    drawings = {"boxes": photograph, "mosaic": coarse}
    if len(arguments) == 4 and arguments[0] in drawings:
        return boxes(*map(pathlib.Path, arguments[1:]), drawings[arguments[0]])
    if len(arguments) >= 3 and arguments[0] in ("curve", "macs"):
        out, *folders = map(pathlib.Path, arguments[1:])
        return (curve if arguments[0] == "curve" else macs)(out, folders)
    sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
