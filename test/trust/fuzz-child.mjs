/**
 * Feeds cases to a loader: `fuzz-child.mjs KIND FIRST COUNT`, or the files of corpus/ that are of this kind, `fuzz-child.mjs KIND
 * corpus 0`, with limits on time and memory set by whoever starts it. Before
 * each case its number goes to stderr's file descriptor 3, so that the one that ends or hangs the process is known. What is
 * wrong with an answer is printed, a line of JSON each; the last line counts.
 */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'
import { readManifest } from '../../dist/checkpoint/index.js'
import { parseConfig, resolveConfig } from '../../dist/config/index.js'
import { decodeCifar10 } from '../../dist/data/cifar10.js'
import { readCsv } from '../../dist/data/csv.js'
import { readIdxPictures } from '../../dist/data/idx.js'
import { loadImageDensity } from '../../dist/data/image-density.js'
import { readImageFolder } from '../../dist/data/image-folder.js'
import { decodeNpy } from '../../dist/data/npy.js'
import { readMixedTable } from '../../dist/data/tables/read.js'
import { LocalFlowError, printable } from '../../dist/errors.js'
import { decodeSafetensors } from '../../dist/files/safetensors.js'
import { openOnnxFeatures } from '../../dist/metrics/onnx.js'
import { readExported } from '../../dist/run/exporting.js'
import { openRun } from '../../dist/run/run.js'
import { caseOf, corpusOf } from './fuzz-cases.mjs'

const [kind, first, count] = [process.argv[2], process.argv[3], Number(process.argv[4])]
const [manifestPath, exportedPath] = process.argv.slice(5)
const folder = mkdtempSync(join(tmpdir(), 'lfm-fuzz-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'run'))
mkdirSync(join(folder, 'set'))
if (exportedPath) cpSync(exportedPath, join(folder, 'exported'), { recursive: true })

const square = () => sharp({ create: { width: 12, height: 9, channels: 3, background: '#147' } })
/** A table of every type, packed in this way, its columns in the encodings that writers choose. */
function parquet(codec, encodings = {}) {
  const rows = Array.from({ length: 40 }, (_, i) => i)
  const of = (name, type, value) => ({ name, type, data: rows.map(value), encoding: encodings[name] })
  const columnData = [
    of('whole', 'INT32', (i) => (i % 7 === 0 ? null : i)),
    of('long', 'INT64', (i) => BigInt(i)),
    of('number', 'DOUBLE', (i) => i / 4),
    of('single', 'FLOAT', (i) => i / 8),
    of('word', 'STRING', (i) => ['red', 'green', 'blue'][i % 3]),
    of('truth', 'BOOLEAN', (i) => i % 2 === 0),
    of('day', 'TIMESTAMP', (i) => new Date(86_400_000 * i)),
  ]
  const compressors = { GZIP: (bytes) => gzipSync(bytes), BROTLI: (bytes) => brotliCompressSync(bytes) }
  return Buffer.from(parquetWriteBuffer({ columnData, codec, compressors, rowGroupSize: 25 }))
}
const encoded = {
  whole: 'DELTA_BINARY_PACKED',
  long: 'DELTA_BINARY_PACKED',
  number: 'BYTE_STREAM_SPLIT',
  word: 'DELTA_BYTE_ARRAY',
}

const corpus = corpusOf({
  parquet: [
    parquet('UNCOMPRESSED'),
    parquet('SNAPPY'),
    parquet('GZIP'),
    parquet('BROTLI'),
    parquet('UNCOMPRESSED', encoded),
    parquet('UNCOMPRESSED', { whole: 'PLAIN', word: 'DELTA_LENGTH_BYTE_ARRAY' }),
  ],
  png: [await square().png().toBuffer(), await square().greyscale().png({ palette: true }).toBuffer()],
  jpeg: [await square().jpeg().toBuffer(), await square().jpeg({ progressive: true }).toBuffer()],
  webp: [await square().webp().toBuffer(), await square().webp({ lossless: true }).toBuffer()],
  exported: [exportedPath ? readFileSync(join(exportedPath, 'config.json')) : Buffer.from('{}')],
  manifest: [manifestPath ? readFileSync(manifestPath) : Buffer.from('{}')],
})

const put = (name, bytes) => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
const picture = (extension) => async (bytes) => {
  const path = put(`set/a.${extension}`, bytes)
  await loadImageDensity(path).catch(refused)
  await readImageFolder(join(folder, 'set'), { size: 4 }).catch(refused)
}
const loaders = {
  safetensors: (bytes) => decodeSafetensors(new Uint8Array(bytes), 'a.safetensors'),
  exported: async (bytes) => {
    put('exported/config.json', bytes)
    await readExported(join(folder, 'exported'))
  },
  manifest: async (bytes) => {
    put('run/manifest.json', bytes)
    await openRun(join(folder, 'run'), await readManifest(join(folder, 'run')))
  },
  yaml: (bytes) => resolveConfig(parseConfig(bytes.toString('utf8'), { path: 'a.yaml' }), 'a.yaml'),
  csv: async (bytes) => {
    const path = put('a.csv', bytes)
    await readCsv(path)
  },
  table: async (bytes) => {
    await readMixedTable(put('a.csv', bytes))
  },
  parquet: async (bytes) => {
    await readMixedTable(put('a.parquet', bytes))
  },
  npy: (bytes) => decodeNpy(new Uint8Array(bytes), 'a.npy'),
  idx: (bytes) => readIdxPictures(put('a.idx', bytes)),
  cifar10: (bytes) => decodeCifar10(new Uint8Array(bytes), 'a.bin'),
  png: picture('png'),
  jpeg: picture('jpg'),
  webp: picture('webp'),
  onnx: async (bytes) => {
    const network = await openOnnxFeatures(put('a.onnx', bytes), { size: 8, batch: 2 })
    await network.extract({ values: new Uint8Array(2 * 12 * 9).fill(7), shape: [2, 1, 12, 9] }).finally(network.dispose)
  },
}

let refusals = 0
let wrong = []
function refused(error) {
  refusals++
  if (!(error instanceof LocalFlowError)) wrong.push(`${error?.name}: ${String(error?.stack).slice(0, 600)}`)
  else if (error.message.length >= 2000) wrong.push(`a message of ${error.message.length} characters`)
  else if (error.message !== printable(error.message)) wrong.push('a message with control characters')
}

/** Peak of resident memory since the last call, in bytes; Linux alone can begin anew. */
const resident = (name) =>
  1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
const measures = process.platform === 'linux'

const kept = new URL('./corpus/', import.meta.url)
/** Names of the cases, and what makes the file of one. */
const [names, fileOf] =
  first === 'corpus'
    ? [readdirSync(kept).filter((name) => name.startsWith(`${kind}-`)), (name) => readFileSync(new URL(name, kept))]
    : [Array.from({ length: count }, (_, i) => Number(first) + i), (number) => caseOf(kind, number, corpus)]

let [failures, slowest, largest] = [0, 0, 0]
for (const number of names) {
  const bytes = fileOf(number)
  wrong = []
  writeSync(3, `${number}\n`)
  if (measures) writeFileSync('/proc/self/clear_refs', '5')
  const before = measures ? resident('VmRSS') : 0
  // of processors: on a machine that others keep busy the clock says nothing of a file
  const began = process.cpuUsage()
  try {
    await loaders[kind](bytes)
  } catch (error) {
    refused(error)
  }
  const { user, system } = process.cpuUsage(began)
  const took = (user + system) / 1000
  const took_memory = measures ? resident('VmHWM') - before : 0
  slowest = Math.max(slowest, took)
  largest = Math.max(largest, took_memory)
  if (took_memory > 4 * bytes.length + (64 << 20))
    wrong.push(`${took_memory} bytes of memory for a file of ${bytes.length}`)
  if (took > 2000) wrong.push(`${Math.round(took)} ms`)
  for (const what of wrong) {
    failures++
    console.log(JSON.stringify({ kind, number, what }))
  }
}
console.log(
  JSON.stringify({
    kind,
    cases: names.length,
    refusals,
    failures,
    slowestMs: Math.round(slowest),
    largestMiB: Math.round(largest / 2 ** 20),
  }),
)
