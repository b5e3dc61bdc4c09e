#!/usr/bin/env -S node --no-warnings
// Runs a program for WASI, such as a test that Cargo built for `wasm32-wasip1`, in Node 20 or later. It
// may open every file, by the names of this machine, which compiled it.
//
//     CARGO_TARGET_WASM32_WASIP1_RUNNER=$PWD/scripts/wasi.mjs cargo test --target wasm32-wasip1 --test ops
import { readFile } from "node:fs/promises";
import v8 from "node:v8";
import { WASI } from "node:wasi";

// The fast calls of Node 20's WASI corrupt the heap of JavaScript: large programs crashed as they ended.
v8.setFlagsFromString("--no-turbo-fast-api-calls");

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) {
  console.error("wasi: name a program, and its arguments");
  process.exit(2);
}
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env: process.env,
  preopens: { ".": process.cwd(), "/": "/" },
});
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
