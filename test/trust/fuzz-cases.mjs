/**
 * Made-up and mutated files for every loader. A case is a number: the same number is the same file. Half of the cases are
 * mutations of a right file (bytes flipped, cut, repeated, spliced with another), half are built by somebody who knows the
 * format and lies in one or two of its numbers.
 */

import { gzipSync } from 'node:zlib'

/** Numbers by a counter, so that a case needs no state. */
export class Dice {
  constructor(seed) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0
    for (let i = 0; i < 4; i++) this.word()
  }

  word() {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let x = this.state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return (x ^ (x >>> 14)) >>> 0
  }

  below(n) {
    return this.word() % n
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  chance(share) {
    return this.word() / 2 ** 32 < share
  }
}

const odd = [
  0,
  1,
  -1,
  2,
  3,
  7,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e18,
  1e308,
  0.5,
]
const oddTexts = [
  '',
  'a',
  '\u0000',
  '\u001b[2J',
  '\u009b31m',
  '\u202e',
  '__proto__',
  'constructor',
  '../../x',
  '/etc/passwd',
  'NaN',
  'x'.repeat(300),
  '\ud800',
  '%s%n',
  "'",
  '"',
  '\\',
]

export function oddValue(dice, depth = 0) {
  const kind = dice.below(depth > 3 ? 5 : 8)
  if (kind < 2) return dice.pick(odd)
  if (kind === 2) return dice.pick(oddTexts)
  if (kind === 3) return dice.pick([true, false, null])
  if (kind === 4) return dice.word()
  if (kind === 5) return Array.from({ length: dice.below(5) }, () => oddValue(dice, depth + 1))
  if (kind === 6)
    return Object.fromEntries(
      Array.from({ length: dice.below(4) }, () => [dice.pick(oddTexts), oddValue(dice, depth + 1)]),
    )
  let nested = 0
  for (let i = dice.below(200); i > 0; i--) nested = [nested]
  return nested
}

/** Changes one or two places of a value of JSON. */
export function lieIn(value, dice) {
  const copy = structuredClone(value)
  for (let times = 1 + dice.below(2); times > 0; times--) {
    let at = copy
    for (;;) {
      const keys = Object.keys(at)
      if (keys.length === 0 || dice.chance(0.1)) {
        at[dice.pick(['added', '__proto__x', '0'])] = oddValue(dice)
        break
      }
      const key = dice.pick(keys)
      if (typeof at[key] === 'object' && at[key] !== null && dice.chance(0.8)) {
        at = at[key]
        continue
      }
      if (dice.chance(0.2)) delete at[key]
      else at[key] = oddValue(dice)
      break
    }
  }
  return copy
}

export function mutate(bytes, dice, others = []) {
  let out = Buffer.from(bytes)
  for (let times = 1 + dice.below(4); times > 0; times--) {
    const at = dice.below(out.length + 1)
    const length = 1 + dice.below(Math.max(1, Math.min(out.length, 64)))
    switch (dice.below(8)) {
      case 0:
        if (out.length > 0) out[Math.min(at, out.length - 1)] ^= 1 << dice.below(8)
        break
      case 1:
        out = out.subarray(0, at)
        break
      case 2:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)])
        break
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at, at + length), out.subarray(at)])
        break
      case 4:
        out = Buffer.concat([
          out.subarray(0, at),
          Buffer.from(Array.from({ length }, () => dice.below(256))),
          out.subarray(at),
        ])
        break
      case 5:
        if (out.length >= at + 4 && at + 4 <= out.length)
          out.writeUInt32LE(dice.pick([0, 1, 0x7fffffff, 0xffffffff, 0x80000000]), at)
        break
      case 6:
        if (others.length > 0) {
          const other = dice.pick(others)
          out = Buffer.concat([out.subarray(0, at), other.subarray(dice.below(other.length + 1))])
        }
        break
      default:
        out = Buffer.concat([out.subarray(0, at), Buffer.from(dice.pick(oddTexts)), out.subarray(at)])
    }
    if (out.length > 1 << 17) out = out.subarray(0, 1 << 17)
  }
  return Buffer.from(out)
}

const u64 = (value) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(
    BigInt.asUintN(64, BigInt(Math.trunc(Number.isFinite(value) ? Math.min(Math.abs(value), 1.8e19) : 0))),
  )
  return bytes
}

const tensorsHeader = {
  __metadata__: { format: 'pt' },
  a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  b: { dtype: 'U8', shape: [4], data_offsets: [24, 28] },
  c: { dtype: 'I64', shape: [], data_offsets: [28, 36] },
}
function safetensors(header, dice) {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = dice?.chance(0.2) ? dice.pick(odd) : json.length
  return Buffer.concat([u64(length), json, Buffer.alloc(36, 1)])
}

const npy = (header, values = 24, version = 1) => {
  const text = Buffer.from(header)
  const head = version === 1 ? Buffer.alloc(10) : Buffer.alloc(12)
  Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]).copy(head)
  if (version === 1) head.writeUInt16LE(text.length & 0xffff, 8)
  else head.writeUInt32LE(text.length, 8)
  return Buffer.concat([head, text, Buffer.alloc(values, 7)])
}
const npyHeader = (descr, order, shape) => `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`

const idx = (type, extents, values, rank = extents.length) => {
  const head = Buffer.alloc(4 + 4 * extents.length)
  head[2] = type
  head[3] = rank
  for (const [i, extent] of extents.entries()) head.writeUInt32BE(extent >>> 0, 4 + 4 * i)
  return Buffer.concat([head, Buffer.alloc(values, 9)])
}

/** An ONNX file of a few nodes, in fields of protocol-buffer messages: pictures [n, 3, 8, 8] to their means, times a constant. */
const onnx = (() => {
  const varint = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...varint(value >> 7)])
  const integer = (field, value) => [8 * field, ...varint(value)]
  const bytes = (field, value) => [8 * field + 2, ...varint(value.length), ...value]
  const text = (field, value) => bytes(field, [...Buffer.from(value)])
  const extent = (value) => bytes(1, typeof value === 'number' ? integer(1, value) : text(2, value))
  const value = (field, name, extents) =>
    bytes(field, [...text(1, name), ...bytes(2, bytes(1, [...integer(1, 1), ...bytes(2, extents.flatMap(extent))]))])
  const node = (kind, from, to) =>
    bytes(1, [...from.flatMap((name) => text(1, name)), ...text(2, to), ...text(4, kind)])
  const floats = [...Buffer.from(Float32Array.of(1, 2, 3).buffer)]
  const weights = bytes(5, [
    ...[1, 3, 1, 1].flatMap((size) => integer(1, size)),
    ...integer(2, 1),
    ...text(8, 'w'),
    ...bytes(9, floats),
  ])
  return (size) => {
    const graph = [
      ...node('GlobalAveragePool', ['x'], 'p'),
      ...node('Mul', ['p', 'w'], 'y'),
      ...text(2, 'pool'),
      ...weights,
      ...value(11, 'x', ['n', 3, size, size]),
      ...value(12, 'y', ['n', 3, 1, 1]),
    ]
    return Buffer.from([...integer(1, 8), ...bytes(7, graph), ...bytes(8, integer(2, 13))])
  }
})()

export const config = {
  data: { kind: 'toy', name: 'moons', train: 100, test: 10 },
  model: { hidden: [16, 16], activation: 'softplus20', fourier: [1, 2] },
  flow: { gammas: [0.1, null], interpolant: 'linear', coupling: 'dependent' },
  train: { batch: 10, steps: 20, lr: 0.001, schedule: { step: { every: 10, factor: 0.5 } }, ema: 0.99, clip: 'off' },
  ode: { sample: { steps: 4 }, evaluate: { solver: 'dopri5', rtol: 1e-5, atol: 1e-5, trace: 'exact' } },
  seed: 1,
  device: { kind: 'reference', variants: {} },
}

const yamlOf = (value, indent = '') => {
  if (Array.isArray(value))
    return value.length === 0 ? '[]' : value.map((one) => `\n${indent}- ${yamlOf(one, `${indent}  `)}`).join('')
  if (typeof value === 'object' && value !== null) {
    return (
      Object.entries(value)
        .map(([key, one]) => `\n${indent}${key}: ${yamlOf(one, `${indent}  `)}`)
        .join('') || '{}'
    )
  }
  return String(value)
}

const csvTexts = [
  '1',
  '-2.5',
  '3e5',
  '.5',
  '5.',
  '1e400',
  'nan',
  'inf',
  '',
  'x',
  '"1"',
  '"',
  '1_000',
  '0x10',
  '９',
  '1'.repeat(400),
  '\u001b[2J',
  '-',
  '+',
  'e5',
  '1e',
  '\u0000',
]

const tableTexts = [
  '1',
  '2.50',
  '-3',
  'red',
  'blue',
  '2024-02-29',
  '2024-02-30',
  '29.02.2024 10:00',
  'true',
  'false',
  '',
  'NA',
  '1,5',
]

/**
 * Builders of lying files: kind → (dice, corpus) → bytes. `corpus[kind]` are right files.
 */
export const liars = {
  safetensors: (dice) => {
    const header = lieIn(tensorsHeader, dice)
    const json = dice.chance(0.1) ? `{"a":1,"a":${JSON.stringify(oddValue(dice)) ?? 0}}` : header
    return safetensors(json, dice)
  },
  exported: (dice, corpus) => Buffer.from(JSON.stringify(lieIn(JSON.parse(corpus.exported[0].toString()), dice))),
  manifest: (dice, corpus) => Buffer.from(JSON.stringify(lieIn(JSON.parse(corpus.manifest[0].toString()), dice))),
  yaml: (dice) => {
    const lied = lieIn(config, dice)
    if (dice.chance(0.5)) return Buffer.from(JSON.stringify(lied))
    const pieces = [
      '[',
      '{',
      '- ',
      '? ',
      '&a ',
      '*a ',
      '!!binary ',
      '|\n',
      '>\n',
      '"',
      "'",
      '---\n',
      '%YAML 9\n',
      '<<: *a\n',
      '\t',
      '# ',
      ': ',
      '\u0085',
    ]
    let text = yamlOf(lied).trimStart()
    for (let i = dice.below(6); i > 0; i--) {
      const at = dice.below(text.length + 1)
      text = text.slice(0, at) + dice.pick(pieces).repeat(dice.chance(0.1) ? 500 : 1) + text.slice(at)
    }
    return Buffer.from(text)
  },
  csv: (dice) => {
    const delimiter = dice.pick([',', ';', '\t', ', '])
    const columns = 1 + dice.below(4)
    const lines = Array.from({ length: dice.below(8) }, () =>
      Array.from({ length: dice.chance(0.1) ? dice.below(9) : columns }, () =>
        dice.pick(dice.chance(0.7) ? csvTexts.slice(0, 5) : csvTexts),
      ).join(delimiter),
    )
    return Buffer.from((dice.chance(0.1) ? '\ufeff' : '') + lines.join(dice.pick(['\n', '\r\n', '\r'])))
  },
  table: (dice) => {
    const delimiter = dice.pick([',', ';', '\t'])
    const columns = 1 + dice.below(5)
    const lines = Array.from({ length: 1 + dice.below(8) }, () =>
      Array.from({ length: dice.chance(0.1) ? dice.below(9) : columns }, () =>
        dice.pick(dice.chance(0.7) ? tableTexts : csvTexts),
      ).join(delimiter),
    )
    const text = Buffer.from((dice.chance(0.1) ? '\ufeff' : '') + lines.join(dice.pick(['\n', '\r\n'])))
    if (dice.chance(0.8)) return text
    const packed = gzipSync(dice.chance(0.3) ? Buffer.concat([text, Buffer.alloc(dice.below(1 << 22), 49)]) : text)
    return dice.chance(0.5) ? mutate(packed, dice) : packed
  },
  parquet: (dice, corpus) => {
    const bytes = Buffer.from(dice.pick(corpus.parquet))
    const footer = bytes.readUInt32LE(bytes.length - 8)
    const ends = bytes.length - 8 - footer
    // numbers of its headers are varints: a few of them anywhere, or in the metadata at its end, become large or small
    for (let times = 1 + dice.below(3); times > 0; times--) {
      const at = dice.chance(0.5) ? ends + dice.below(footer) : 4 + dice.below(ends - 4)
      const lie = dice.pick([
        '00',
        '01',
        '7f',
        '8001',
        'ffff03',
        'feffffff0f',
        'ffffffff0f',
        'ffffffff07',
        '8080808001',
      ])
      Buffer.from(lie, 'hex').copy(bytes, at)
    }
    if (dice.chance(0.1)) bytes.writeUInt32LE(dice.pick([0, 1, 0x7fffffff, 0xffffffff]), bytes.length - 8)
    Buffer.from('PAR1').copy(bytes, bytes.length - 4)
    return bytes
  },
  npy: (dice) => {
    const shape = dice.pick([
      '(2, 3)',
      '(6,)',
      '()',
      '(0, 3)',
      `(${dice.pick(odd)},)`,
      `(${'1,'.repeat(dice.below(300))})`,
      `(${'1'.repeat(dice.below(400))}x)`,
      `(${dice.word()}, ${dice.word()})`,
      '(-1,)',
      '[6]',
    ])
    const descr = dice.pick(['<f4', '|u1', '<i8', '<f8', '|b1', '>f4', '|O', '<U5', '<u2', '|i1'])
    const text = npyHeader(descr, dice.pick(['False', 'False', 'True', '0']), shape)
    const header = dice.chance(0.2) ? text.replace(dice.pick(["'", ':', ',', '}']), dice.pick(oddTexts)) : text
    return npy(header, dice.pick([0, 6, 24, 48, 1000]), dice.pick([1, 1, 2, 3, 4]))
  },
  idx: (dice) => {
    const extents = Array.from({ length: dice.below(5) }, () => (dice.chance(0.5) ? dice.below(5) : dice.pick(odd)))
    const bytes = idx(
      dice.pick([8, 8, 8, 9, 13, 0]),
      extents,
      dice.below(200),
      dice.chance(0.8) ? extents.length : dice.below(256),
    )
    const packed = dice.chance(0.5)
      ? gzipSync(dice.chance(0.2) ? Buffer.concat([bytes, Buffer.alloc(dice.below(1 << 20))]) : bytes)
      : bytes
    return dice.chance(0.3) ? mutate(packed, dice) : packed
  },
  cifar10: (dice) => {
    const bytes = Buffer.alloc(3073 * dice.below(3) + (dice.chance(0.3) ? dice.below(3073) : 0), 1)
    if (bytes.length > 0 && dice.chance(0.5)) bytes[0] = dice.below(256)
    return bytes
  },
  png: (dice, corpus) => {
    const bytes = Buffer.from(dice.pick(corpus.png))
    // the extents in the header, and sometimes the checksum of the header so that the lie is believed
    bytes.writeUInt32BE(dice.pick([0, 1, 8, 16_000, 65_535, 0x7fffffff, 0xffffffff]), dice.pick([16, 20]))
    if (dice.chance(0.8)) bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
    return dice.chance(0.3) ? mutate(bytes, dice) : bytes
  },
  jpeg: (dice, corpus) => {
    const bytes = Buffer.from(dice.pick(corpus.jpeg))
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]))
    if (frame > 0) bytes.writeUInt16BE(dice.pick([0, 1, 16_000, 65_535]), frame + dice.pick([5, 7]))
    return dice.chance(0.3) ? mutate(bytes, dice) : bytes
  },
  webp: (dice, corpus) => mutate(dice.pick(corpus.webp), dice),
  onnx: (dice) => {
    const bytes = onnx(dice.pick([8, 8, 'size', 7, 1 << 20]))
    // lengths, extents and types are varints of one byte or two: some of them become other ones
    for (let times = dice.below(3); times > 0; times--) {
      const lie = dice.pick(['00', '01', '07', '7f', 'ff7f', 'ffffff7f', '808001'])
      Buffer.from(lie, 'hex').copy(bytes, dice.below(bytes.length))
    }
    return bytes
  },
}

function crc32(bytes) {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}

export const kinds = Object.keys(liars)

/** Right files of each kind. @param made pictures, Parquet, the manifest and an exported config, which this file cannot make */
export const corpusOf = (made) => ({
  safetensors: [safetensors(tensorsHeader)],
  yaml: [Buffer.from(yamlOf(config).trimStart()), Buffer.from(JSON.stringify(config))],
  csv: [Buffer.from('a,b\n1,2\n3,4\n'), Buffer.from('1;2\r\n3;4\r\n'), Buffer.from('"a ""q""",b\n1,2\n')],
  npy: [
    npy(npyHeader('<f4', 'False', '(2, 3)')),
    npy(npyHeader('|u1', 'False', '(24,)')),
    npy(npyHeader('<i8', 'False', '(3,)')),
  ],
  table: [
    Buffer.from('a,b,c\n1,red,2024-02-29\n2.5,blue,2024-03-01\n,red,NA\n'),
    gzipSync(Buffer.from('a;b\n1,5;true\n2,5;false\n')),
  ],
  idx: [idx(8, [2, 3, 4], 24), gzipSync(idx(8, [2, 3, 4], 24))],
  cifar10: [Buffer.alloc(3073, 1)],
  onnx: [onnx(8), onnx('size')],
  ...made,
})

/** The file of a case. */
export function caseOf(kind, number, corpus) {
  const dice = new Dice(number)
  if (dice.chance(0.5)) return liars[kind](dice, corpus)
  return mutate(dice.pick(corpus[kind]), dice, corpus[dice.pick(kinds)])
}
