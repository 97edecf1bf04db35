// Where a source unit lives. Units of npm packages are named npm/<package>@<version>/<path>, so that an
// artifact says which version of which package it was compiled from.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
export const solc = require('solc');

// Import prefix → directory under node_modules. The versioned prefixes are those that
// @chainlink/contracts writes in its own imports; npm installs them under aliases.
const packages = {
  '@openzeppelin/contracts@4.8.3/': '@openzeppelin/contracts-4.8.3',
  '@openzeppelin/contracts@5.0.2/': '@openzeppelin/contracts-5.0.2',
  '@openzeppelin/contracts/': '@openzeppelin/contracts',
  '@chainlink/contracts/': '@chainlink/contracts',
};

const directories = {};
export const remappings = [];
for (const [prefix, directory] of Object.entries(packages)) {
  const { name, version } = JSON.parse(
    fs.readFileSync(path.join(root, 'node_modules', directory, 'package.json'), 'utf8'),
  );
  const unit = `npm/${name}@${version}/`;
  directories[unit] = path.join('node_modules', directory);
  remappings.push(`${prefix}=${unit}`);
}

// The text of a source unit, by its name.
export function read(unit) {
  for (const [prefix, directory] of Object.entries(directories)) {
    if (unit.startsWith(prefix)) {
      return fs.readFileSync(path.join(root, directory, unit.slice(prefix.length)), 'utf8');
    }
  }
  return fs.readFileSync(path.join(root, unit), 'utf8');
}
