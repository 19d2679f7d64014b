/**
 * Writes docs/configuration.md from the schema in src/config/: every key with what it must be, its default and what it
 * is for; and the types of options with the same words (option-types.mjs). `node scripts/configuration-docs.mjs` (after
 * `npm run build:ts`) writes the files; tests hold them in step.
 */

import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { optionTypes } from './option-types.mjs'

const introduction = `# Configuration

<!-- Written by scripts/configuration-docs.mjs from the schema in src/config/; change that, not this file. -->

A config file is YAML with the sections \`data\`, \`model\`, \`flow\`, \`train\` and \`ode\`, and the keys \`seed\` and \`device\`.
\`LocalFlow.train\` takes the same keys as an object, without \`data\`. Only \`data\` must be given: every other key has a default.

\`\`\`yaml
data:  { kind: image-density, path: rose.png, train: 100000, test: 10000 }
model: { hidden: [256, 256, 256], activation: softplus20 }
flow:  { gammas: [0.025, 0.031, 0.039, 0.049, 0.061, null] }
train: { batch: 2000, steps: 2000 }
ode:   { solver: rk4, steps: 8, evaluate: { steps: 20 } }
seed: 1103
\`\`\`

\`lfm train CONFIG.yaml --set train.steps=100 --set flow.interpolant=trig\` overrides single keys; a value is read as YAML.
An unknown key, a wrong type or an impossible value is an error that names the key and what would be right. A list with
one entry for each sub-flow is as long as the chain: the length of \`flow.gammas\`, or \`flow.schedule.n\`.
`

/** Sections in the order of the file: heading, and what a reader should know before the table. */
const sections = {
  data: [
    'data',
    'What is learned. `kind` decides which keys there are. An image-density and a toy set are densities: each part is\n' +
      'drawn afresh. Files are split: a part is a count of rows, or a fraction of them where it is below 1. Pictures\n' +
      'are rows [C, H, W]: 8-bit ones are scaled to [−1, 1], floats stay as they are.',
  ],
  model: [
    'model',
    'The velocity field v(x, t). `hidden`, `activation`, `time` and `fourier` are keys of an mlp, `kernel` is one of a unet1d, `attention`, `headChannels`, `scaleShift` and `residualResampling` are keys of a unet, the others of both.',
  ],
  flow: ['flow', 'The chain of sub-flows ([method.md](method.md)).'],
  train: ['train', 'The optimizer and its batches. Everything here starts anew with each sub-flow.'],
  ode: [
    'ode',
    'How ordinary differential equations are solved. The first five keys hold for all uses; `push` (the training set through a\n' +
      'trained sub-flow), `sample` (samples) and `evaluate` (likelihoods, encoding, decoding, trajectories) override them. Where\n' +
      'none of `ode.solver`, `ode.steps`, `ode.clock` and those of `ode.sample` is given, samples go by `ab2` with\n' +
      '`clock: angle` and `evaluations`.',
  ],
  distill: [
    'distill: students of another run',
    '`lfm distill` writes this section into the config of its run (docs/distillation.md); it is no part of a config for `lfm train`.',
  ],
  '': ['seed and device', "The command line's `--device` overrides `device.kind`."],
}

/** Where the kinds of data mean different things by one key; the schema's first words are those of pictures. */
const wordsForAllKinds = {
  'data.path': 'The picture, file or folder, relative to the config file. Folders in a folder of images are classes.',
  'data.train': 'Training rows. Of a file, left out: all that the other parts leave.',
  'data.validation': 'Validation rows, 0 for none. Of maf, left out: all of the published part.',
  'data.test':
    'Test rows, 0 for none. Of images, idx and cifar10, left out: all test pictures that have files of their own, else a tenth; of maf all of the published part.',
  'data.name': 'Which toy set, or which set of the archive (docs/tables.md).',
  'data.testPath': 'A folder or file of test pictures. Left out: the test rows are split off.',
  'data.labels': 'Classes of the rows: an IDX file, or a .npy file of whole numbers.',
  'data.testLabels': 'Classes of the test pictures.',
  'data.columns':
    'The columns to take, in this order; left out: all. Of a table: what columns are, where that is told wrongly from their values.',
}
const part = 'a count of rows; of a file also a fraction below 1'
const valuesForAllKinds = {
  'data.train': part,
  'data.validation': part,
  'data.test': part,
  'data.name':
    'gaussian, moons, checkerboard, spirals, eight-gaussians, pinwheel, rings, mixture or sheet; of maf power, gas, miniboone or bsds300',
  'data.columns':
    "a list of names or numbers from 0; of a table a mapping from names to number, integer, category, boolean, date, { date: '%Y-%m-%d' } or ignore",
}

const cell = (text) => text.replaceAll('|', '\\|')
const code = (value) => `\`${typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ')}\``

/** The kinds of data that have a key, and its default in each; probed through the resolver, which is the judge. */
function dataKinds(key, kinds, resolve) {
  const name = key.path.slice('data.'.length)
  const own = { toy: { name: 'moons' }, maf: { name: 'power', path: 'x' } }
  const of = (kind) => ({ kind, ...(own[kind] ?? { path: 'x' }) })
  const known = kinds.filter((kind) => {
    try {
      resolve({ data: { ...of(kind), [name]: {} } })
      return true
    } catch (error) {
      return !error.issues.some((issue) => issue.startsWith(`data.${name} is a key for`))
    }
  })
  const defaults = known.map((kind) => (name in of(kind) ? undefined : resolve({ data: of(kind) }).data[name]))
  return { known, defaults }
}

function dataDefault(key, kinds, resolve) {
  if (key.path === 'data.kind') return ['all', 'required']
  const { known, defaults } = dataKinds(key, kinds, resolve)
  const owners = known.length === kinds.length ? 'all' : known.join(', ')
  if (['data.path', 'data.name'].includes(key.path)) return [owners, 'required']
  const kindsOf = new Map()
  known.forEach((kind, i) => {
    const text = defaults[i] === undefined ? '–' : code(defaults[i])
    kindsOf.set(text, [...(kindsOf.get(text) ?? []), kind])
  })
  const texts = [...kindsOf].map(([text, those]) => (kindsOf.size === 1 ? text : `${text} (${those.join(', ')})`))
  return [owners, texts.join('; ')]
}

/** The default of a key of `model`: that of each kind of network which has it, where they differ. */
function modelDefault({ path, default: first }, kinds, resolve) {
  const name = path.slice('model.'.length)
  if (name === 'kind') return code(first)
  const networks = kinds.map((kind) => resolve({ data: { kind: 'npy', path: 'x' }, model: { kind } }).model)
  const owners = networks.filter((network) => network[name] !== undefined)
  const texts = new Map()
  for (const network of owners) {
    const text = network.kind === 'mlp' ? code(first) : code(network[name])
    texts.set(text, [...(texts.get(text) ?? []), network.kind])
  }
  return texts.size === 1 ? code(first) : [...texts].map(([text, own]) => `${text} (${own.join(', ')})`).join('; ')
}

/** What stands under `Default` for a key that has none in the schema. */
function inherited({ path }, resolve) {
  if (path === 'ode.evaluate.trace') return '`exact`, of a unet or unet1d `hutchinson`'
  const { flow, ode } = resolve({ data: { kind: 'npy', path: 'x' } })
  if (path === 'ode.sample.evaluations')
    return `\`${ode.sample.evaluations}\`, two for each of more than eight sub-flows`
  const [, use, name] = /^ode\.(push|sample|evaluate)\.(\w+)$/.exec(path) ?? []
  if (use) return name === 'evaluations' ? '–' : `\`ode.${name}\``
  if (path === 'flow.gammas') return code(flow.gammas)
  if (path.startsWith('ode.')) return code(ode.push[path.slice('ode.'.length)])
  return '–'
}

/** The words of a `kind`: one sentence for each of its names, where there are as many. */
function meaning({ path, expects, description }) {
  const names = expects.split(', ')
  const sentences = description.split(/(?<=\.) (?=[A-Z])/)
  if (!path.endsWith('.kind') || names.length < 2 || names.length !== sentences.length) return description
  return names.map((name, i) => `\`${name}\`: ${sentences[i]}`).join('<br>')
}

/**
 * The whole file.
 * @param keys of configKeys
 * @param resolve resolveConfig
 */
export function configurationDocs(keys, resolve) {
  const kindsOf = (section) => keys.find((key) => key.path === `${section}.kind`).expects.split(', ')
  const [kinds, networks] = [kindsOf('data'), kindsOf('model')]
  const parts = Object.entries(sections).map(([section, [title, text]]) => {
    const own = keys.filter(
      ({ path }) => (Object.hasOwn(sections, path.split('.')[0]) ? path.split('.')[0] : '') === section,
    )
    const isData = section === 'data'
    const rows = own.map((key) => {
      const [owners, written] = isData ? dataDefault(key, kinds, resolve) : []
      const value = isData
        ? written
        : key.default === undefined
          ? inherited(key, resolve)
          : section === 'model'
            ? modelDefault(key, networks, resolve)
            : code(key.default)
      const cells = [
        `\`${key.path}\``,
        ...(isData ? [owners] : []),
        valuesForAllKinds[key.path] ?? key.expects,
        value,
        wordsForAllKinds[key.path] ?? meaning(key),
      ]
      return `| ${cells.map(cell).join(' | ')} |`
    })
    const head = ['Key', ...(isData ? ['Kinds'] : []), 'Value', 'Default', 'Meaning']
    return [
      `## ${title}`,
      '',
      text,
      '',
      `| ${head.join(' | ')} |`,
      `|${head.map(() => '---|').join('')}`,
      ...rows,
    ].join('\n')
  })
  return `${[introduction.trimEnd(), ...parts].join('\n\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { configKeys, resolveConfig } = await import('../dist/config/index.js')
  const { configSchema } = await import('../dist/config/schema.js')
  const files = {
    'docs/configuration.md': configurationDocs(configKeys(), resolveConfig),
    ...optionTypes(configSchema),
  }
  for (const [path, text] of Object.entries(files)) {
    await writeFile(new URL(`../${path}`, import.meta.url), text)
    console.log(path)
  }
}
