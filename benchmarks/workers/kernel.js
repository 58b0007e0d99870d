// node kernel.js FILE.wasm: runs a kernel in V8; for each size read, answers `CPU-seconds checksum`.
// The time is the process's: V8 compiles a second time in the background while it runs.
"use strict";
const { readFileSync } = require("fs");
const { createInterface } = require("readline");

const module_ = new WebAssembly.Module(readFileSync(process.argv[2]));
const { run } = new WebAssembly.Instance(module_).exports;

createInterface({ input: process.stdin }).on("line", (line) => {
  const begun = process.cpuUsage();
  const sum = run(Number(line)) >>> 0;
  const { user, system } = process.cpuUsage(begun);
  console.log(`${(user + system) / 1e6} ${sum}`);
});
