// Compares crates/cre/messages.txt with the descriptors that the official TypeScript SDK carries: names, numbers, types, labels.
//
// Exit code 0: all that both have is the same, and what only one has is listed below.

import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { fromBinary } from '@bufbuild/protobuf'
import { FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'

// Packages that the npm package does not carry.
const OURS_ONLY = new Set([
  'cdpr.darkpool.v1', // our own capability
  'capabilities.compute.confidentialworkflow.v1alpha', // between nodes and enclaves, no workflow sees it
  'capabilities.internal.basictrigger.v1', // for tests
  'workflows.v2', // the one message of it that a workflow sends
])
// Packages that we do not speak.
const THEIRS_ONLY = new Set(['capabilities.blockchain.solana.v1alpha', 'tools.generator.v1alpha'])

const here = dirname(fileURLToPath(import.meta.url))
const sdk = join(here, 'node_modules/@chainlink/cre-sdk/dist')

// An entry is `message <full name> <number>` or `enum <full name> <number>`; its text is the rest of the line.
function readOurs() {
  const entries = new Map()
  for (const line of readFileSync(join(here, '../../crates/cre/messages.txt'), 'utf8').trim().split('\n')) {
    const [kind, name, number, ...rest] = line.split(' ')
    if (number !== undefined) entries.set(`${kind} ${name} ${number}`, rest.join(' '))
  }
  return entries
}

function readTheirs() {
  const entries = new Map()
  const packages = new Map()
  const generated = join(sdk, 'generated')
  for (const path of readdirSync(generated, { recursive: true }).filter((path) => path.endsWith('_pb.js'))) {
    const base64 = readFileSync(join(generated, path), 'utf8').match(/fileDesc\('([^']+)'/)?.[1]
    if (base64 === undefined) throw new Error(`no descriptor in ${path}`)
    const file = fromBinary(FileDescriptorProtoSchema, Buffer.from(base64, 'base64'))
    packages.set(file.package, path)
    addTypes(entries, file.package, file.messageType, file.enumType)
  }
  return { entries, packages }
}

function addTypes(entries, scope, messages, enums) {
  for (const one of enums) {
    for (const value of one.value) entries.set(`enum ${scope}.${one.name} ${value.number}`, value.name)
  }
  for (const message of messages) {
    const name = `${scope}.${message.name}`
    const maps = new Map(message.nestedType.filter((nested) => nested.options?.mapEntry).map((nested) => [`.${name}.${nested.name}`, nested]))
    for (const field of message.field) {
      const entry = maps.get(field.typeName)
      const type = entry ? `map<${entry.field.map(typeOf).join()}>` : typeOf(field)
      entries.set(`message ${name} ${field.number}`, `${field.name} ${type} ${labelOf(field, message)}`)
    }
    addTypes(entries, name, message.nestedType.filter((nested) => !nested.options?.mapEntry), message.enumType)
  }
}

function typeOf(field) {
  return field.typeName ? field.typeName.slice(1) : Type[field.type].toLowerCase()
}

function labelOf(field, message) {
  if (field.label === Label.REPEATED) return 'repeated'
  // `optional` changes nothing about a message's presence, and prost doesn't keep it.
  if (field.proto3Optional) return field.type === Type.MESSAGE ? 'singular' : 'optional'
  const oneof = Object.hasOwn(field, 'oneofIndex') ? message.oneofDecl[field.oneofIndex] : undefined
  return oneof ? `oneof:${oneof.name}` : 'singular'
}

const packageOf = (key) => key.split(' ')[1].replace(/\.[A-Z].*$/, '')

const ours = readOurs()
const { entries: theirs, packages } = readTheirs()
const differences = []
const skipped = new Set()
let nEqual = 0
for (const [key, text] of ours) {
  if (OURS_ONLY.has(packageOf(key))) {
    skipped.add(packageOf(key))
  } else if (theirs.get(key) === text) {
    nEqual += 1
  } else {
    differences.push(`${key}: ours ${text}, theirs ${theirs.get(key) ?? 'absent'}`)
  }
}
for (const [key, text] of theirs) {
  if (!THEIRS_ONLY.has(packageOf(key)) && !ours.has(key)) differences.push(`${key}: ours absent, theirs ${text}`)
}
for (const name of OURS_ONLY) {
  if (packages.has(name)) differences.push(`${name} is in the npm package: compare it`)
}

for (const difference of differences) console.error(difference)
console.log(`${nEqual} fields and enum values are equal, ${differences.length} differ; not in the npm package: ${[...skipped].sort().join(', ')}`)
process.exit(differences.length === 0 && nEqual > 0 ? 0 : 1)
