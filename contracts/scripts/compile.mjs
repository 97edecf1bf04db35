// Compiles every contract with pinned settings and writes artifacts/<Name>.json.
// --check compiles again, compares byte for byte, and exits 1 at the first difference.
import fs from 'node:fs';
import path from 'node:path';
import { read, remappings, root, solc } from './sources.mjs';

const CHAINLINK = remappings.find((r) => r.startsWith('@chainlink/contracts/=')).split('=')[1];
const OPENZEPPELIN = remappings.find((r) => r.startsWith('@openzeppelin/contracts/=')).split('=')[1];

// Artifact → source unit, in which the contract has the unit's name: the second design has contracts of the names of the
// first. Generated verifiers are found by themselves.
const contracts = {
  ConfidentialPoR: 'src/ConfidentialPoR.sol',
  DarkPool: 'src/DarkPool.sol',
  EnclaveRegistry: 'src/EnclaveRegistry.sol',
  RecoveryGuard: 'src/RecoveryGuard.sol',
  ShieldedPool: 'src/ShieldedPool.sol',
  SecondDarkPool: 'src/second/DarkPool.sol',
  SecondShieldedPool: 'src/second/ShieldedPool.sol',
  StatusHash: 'src/second/StatusHash.sol',
  CashToken: 'src/demo/CashToken.sol',
  ClaimToken: 'src/demo/ClaimToken.sol',
  DemoStablecoin: 'src/demo/DemoStablecoin.sol',
  PriceFeed: 'src/demo/PriceFeed.sol',
  KeystoneForwarder: `${CHAINLINK}src/v0.8/keystone/KeystoneForwarder.sol`,
  TimelockController: `${OPENZEPPELIN}governance/TimelockController.sol`,
};
for (const directory of ['src/verifiers', 'src/second/verifiers']) {
  const found = path.join(root, directory);
  for (const file of fs.existsSync(found) ? fs.readdirSync(found).sort() : []) {
    if (file.endsWith('.sol')) contracts[path.basename(file, '.sol')] = `${directory}/${file}`;
  }
}

// `bytecodeHash: none` keeps comments and paths out of the bytecode.
const settings = {
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none' },
  optimizer: { enabled: true, runs: 1_000_000 },
  remappings,
  viaIR: false,
};

// EIP-170.
const CODE_BYTES_MAX = 24_576;

// Each contract is compiled from its own closure of imports, so that adding a file never moves another's bytecode.
function compile(name, unit) {
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: { [unit]: { content: read(unit) } },
        settings: {
          ...settings,
          outputSelection: { [unit]: { '*': ['abi', 'metadata', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
        },
      }),
      {
        import: (wanted) => {
          try {
            return { contents: read(wanted) };
          } catch (error) {
            return { error: error.message };
          }
        },
      },
    ),
  );
  let failed = false;
  for (const message of output.errors ?? []) {
    const ours = message.sourceLocation?.file?.startsWith('src/');
    if (message.severity === 'error' || ours) console.error(message.formattedMessage);
    failed ||= message.severity === 'error';
  }
  if (failed) process.exit(1);
  // A generated verifier may keep its template's contract name.
  const compiled = output.contracts[unit];
  const contractName = path.basename(unit, '.sol');
  const contract = compiled[contractName] ?? compiled.Verifier;
  if (!contract) throw new Error(`${unit} has no contract ${contractName}`);
  const bytes = contract.evm.deployedBytecode.object.length / 2;
  if (bytes > CODE_BYTES_MAX) throw new Error(`${name} has ${bytes} bytes, the limit is ${CODE_BYTES_MAX}`);

  const metadata = JSON.parse(contract.metadata);
  const sources = {};
  for (const source of Object.keys(metadata.sources).sort()) sources[source] = metadata.sources[source].keccak256;
  return {
    contractName: name,
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
    solc: metadata.compiler.version,
    settings,
    sources,
  };
}

function firstDifference(expected, found) {
  for (const key of Object.keys(expected)) {
    const [a, b] = [JSON.stringify(expected[key]), JSON.stringify(found[key])];
    if (a === b) continue;
    if (key !== 'sources') return key;
    const source = Object.keys({ ...expected.sources, ...found.sources }).find(
      (unit) => expected.sources[unit] !== found.sources?.[unit],
    );
    return `sources, ${source}`;
  }
  return 'its formatting';
}

const check = process.argv.includes('--check');
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const directory = path.join(root, 'artifacts');
fs.mkdirSync(directory, { recursive: true });

for (const [name, unit] of Object.entries(contracts)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const artifact = compile(name, unit);
  const text = `${JSON.stringify(artifact, null, 1)}\n`;
  const file = path.join(directory, `${name}.json`);
  const size = `${((artifact.deployedBytecode.length - 2) / 2).toLocaleString('en')} bytes`;
  if (!check) {
    fs.writeFileSync(file, text);
    console.log(`${name}: ${size}`);
    continue;
  }
  const found = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
  if (found !== text) {
    const what = found === undefined ? 'is missing' : `differs in ${firstDifference(artifact, JSON.parse(found))}`;
    console.error(`artifacts/${name}.json ${what}; run npm run compile`);
    process.exit(1);
  }
  console.log(`${name}: same, ${size}`);
}

const stray = fs.readdirSync(directory).filter((file) => !(path.basename(file, '.json') in contracts));
if (stray.length > 0) {
  console.error(`artifacts/${stray[0]} belongs to no contract`);
  process.exit(1);
}
