/**
 * A model as a folder for the Hugging Face Hub: the files of pytorch.ts, the graphs of onnx.ts under onnx/, and a model card
 * (README.md) that says what it is, what it was trained on, what was measured, and how it is used. The card is for people to
 * go on writing in, so config.json holds no hash of it.
 */

import { goesWithout } from '../model/condition.js'
import type { ExportedCondition, ExportedFile, ExportedModel, Exporter } from './exporter.js'
import { NO_LICENCE } from './exporter.js'
import { onnx } from './onnx/onnx.js'
import { pytorchFiles } from './pytorch.js'

export const hub: Exporter = async (model, options) => {
  const graphs = (await onnx(model, options)).map(({ path, content }) => ({ path: `onnx/${path}`, content }))
  const [config, ...files] = await pytorchFiles(model, options, graphs)
  return [cardFile(model, options.licence ?? NO_LICENCE), config, ...files]
}

/** Words that come from data and options, as Markdown shows them. */
const plain = (words: string): string => words.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|#]/g, '\\$&')

/** The Hub knows licences by their SPDX identifiers in small letters. */
function licenceLines(licence: string): string[] {
  if (licence === NO_LICENCE) return ['license: unknown']
  if (/^[\w.+-]+$/.test(licence)) return [`license: ${licence.toLowerCase()}`]
  return ['license: other', `license_name: ${JSON.stringify(licence)}`]
}

/** What a model is told, and how a call, a graph and PyTorch are told it. */
function toldWords(condition: ExportedCondition | null) {
  if (!condition) return { what: '', node: '', feed: [], fed: '', python: '' }
  const left = goesWithout(condition)
  if (condition.kind === 'classes') {
    const { classes } = condition
    const [first] = classes
    return {
      what: `a class, one of ${classes.join(', ')}${left ? '; -1 in the graphs: none' : ''}`,
      node: `, { class: ${first} }`,
      feed: [`const label = new BigInt64Array(100).fill(${first}n)`],
      fed: ", class: new Tensor('int64', label, [100])",
      python: `, labels=${first}`,
    }
  }
  const { names, scaler } = condition
  const C = scaler.mean.length
  const row = JSON.stringify(scaler.mean.map((value) => Number(value.toPrecision(3))))
  return {
    what:
      `${C} ${C === 1 ? 'number' : 'numbers'} a row${names ? `: ${names.join(', ')}` : ''}` +
      (left ? '; NaN in the graphs: nothing' : ''),
    node: `, { cond: ${row} }`,
    feed: [`const cond = Float32Array.from({ length: 100 * ${C} }, (_, i) => ${row}[i % ${C}])`],
    fed: `, cond: new Tensor('float32', cond, [100, ${C}])`,
    python: `, cond=${row}`,
  }
}

function cardFile(model: ExportedModel, licence: string): ExportedFile {
  const { rowShape, rowKind, stages, network, data, metrics, columns, condition = null, encoding, version } = model
  const pictured = rowKind === 'pictures'
  const tabled = encoding?.columns.map(({ name }) => name)
  const made = pictured
    ? 'pictures'
    : tabled
      ? `a table (columns ${tabled.map(plain).join(', ')}), as rows of numbers`
      : 'rows of numbers'
  const row = `[${rowShape.join(', ')}]`
  const told = toldWords(condition)
  const [N, P] = [stages.length, network.parameterCount]
  const measured = metrics.map(
    ({ name, value, evaluations, how }) =>
      `| ${[name, value.toPrecision(4), evaluations === null ? '–' : String(evaluations), plain(how)].join(' | ')} |`,
  )
  const lines = [
    '---',
    ...licenceLines(licence),
    'library_name: local-flow-matching',
    ...(pictured && !condition ? ['pipeline_tag: unconditional-image-generation'] : []),
    'tags: [flow-matching, local-flow-matching, generative-model, onnx, safetensors]',
    '---',
    '',
    '# A Local Flow',
    '',
    `A generative model of ${made} ${row} by Local Flow Matching ` +
      `([Xu, Cheng and Xie 2024](https://arxiv.org/abs/2410.02548)): ${N} ${N === 1 ? 'network' : 'networks'} of ${P} parameters, ` +
      `written by local-flow-matching ${version}.`,
    '',
    `- **Licence:** ${plain(licence)}`,
    `- **Data:** ${data ? plain(data) : 'not stated'}${columns && !tabled ? `; columns ${columns.map(plain).join(', ')}` : ''}`,
    ...(condition ? [`- **Told:** ${plain(told.what)}`] : []),
    `- **Training:** the options are in config.json under \`options\``,
    '',
    '## What was measured',
    '',
    ...(measured.length > 0
      ? ['| metric | value | evaluations | how |', '|---|---|---|---|', ...measured]
      : ['Nothing yet: `lfm evaluate RUN` measures a run, and an export after it says so here.']),
    '',
    '## How it is used',
    '',
    'In Node:',
    '',
    '```js',
    "import { LocalFlow } from 'local-flow-matching'",
    '',
    "const flow = await LocalFlow.load('.') // this folder",
    tabled
      ? `const table = await flow.sampleTable(100${told.node})`
      : `const { values, shape } = await flow.sample(100${told.node})`,
    '```',
    '',
    'In a browser, or in Node, by onnxruntime (`onnx/sampler.onnx`, noise to data):',
    '',
    '```js',
    "import { InferenceSession, Tensor } from 'onnxruntime-web'",
    '',
    "const session = await InferenceSession.create('onnx/sampler.onnx')",
    'const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())',
    `const noise = Float32Array.from({ length: 100 * ${rowShape.join(' * ')} }, normal)`,
    ...told.feed,
    `const ${tabled ? 'outputs' : '{ samples }'} = await session.run({ noise: new Tensor('float32', noise, [100, ${rowShape.join(', ')}])${told.fed} })`,
    '```',
    '',
    ...(tabled
      ? [
          `Its outputs ${tabled.map((name, i) => `column_${i + 1} (${plain(name)})`).join(', ')} are the table; the metadata say of what.`,
          '',
        ]
      : []),
    'In PyTorch:',
    '',
    '```python',
    'from model import LocalFlow',
    '',
    `samples = LocalFlow(".").sample(100${told.python})`,
    '```',
    '',
  ]
  return { path: 'README.md', content: lines.join('\n') }
}
