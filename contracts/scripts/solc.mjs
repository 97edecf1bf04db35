#!/usr/bin/env node
// npm's solc behind the two options that forge uses: --version, and --standard-json on stdin.
import fs from 'node:fs';
import { solc } from './sources.mjs';

// process.exit would cut what a pipe has not taken yet, so write it all first.
function write(text) {
  const bytes = Buffer.from(text);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += fs.writeSync(1, bytes, written);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

if (process.argv.includes('--standard-json')) {
  write(solc.compile(fs.readFileSync(0, 'utf8')));
} else {
  // forge parses the platform as native solc writes it.
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
}
