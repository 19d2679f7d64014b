/**
 * A model as ONNX files: the velocity of each sub-flow, and the sampler from noise to data in the units of the data. The
 * graphs are read off the programs that a device would run: the networks' own, and that of `Flow.sample`, whatever its stages
 * are. So a graph computes what the library computes, up to the order of sums.
 */

import { LocalFlowError } from '../../errors.js'
import { velocityOfChoices } from '../../model/choices.js'
import type { Jump } from '../../model/transport.js'
import { expand } from '../../program/lower.js'
import { ALIGNMENT, type Program, ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { type ExportedFile, type ExportedModel, type Exporter, type ExportOptions, NO_LICENCE } from '../exporter.js'
import { Recorder } from '../recorder.js'
import { recordSampler } from '../sampler.js'
import { nothingTold, told } from './condition.js'
import { Graph } from './graph.js'
import { translated, translationOf } from './kernels.js'
import { Memory } from './memory.js'
import { tableOutputs } from './table.js'

/** The most that a protocol-buffer message may hold. */
const MOST_BYTES = 2 ** 31 - 1

/** Rows of a batch while a program is built: windows on them begin where a program wants them to. The graph has an open batch. */
const ROWS = ALIGNMENT

const BATCH = 'n'

export const onnx: Exporter = async (model, options) => {
  const { stages } = model
  const fields = stages.map((_, i) => (stages.length === 1 ? 'field.onnx' : `field-${i + 1}.onnx`))
  expectRoom(fields[0], bytesOf(model, 1))
  expectRoom('sampler.onnx', bytesOf(model, stages.length))
  return [
    ...fields.map((path, i) => fieldFile(path, model, i, options)),
    await samplerFile('sampler.onnx', model, options),
  ]
}

const bytesOf = ({ network }: ExportedModel, networks: number): number => 4 * network.parameterCount * networks

function expectRoom(file: string, bytes: number): void {
  if (bytes <= MOST_BYTES) return
  throw new LocalFlowError(
    `${file} would have ${(bytes / 2 ** 30).toFixed(1)} GiB, but an ONNX file holds less than 2 GiB. Nothing was written; ` +
      'export to pytorch, whose files may be of any size.',
  )
}

/** Writes operations into a graph. Throws LocalFlowError for a kernel that has no counterpart. */
function translate(graph: Graph, memory: Memory, program: Program): void {
  for (const { contract, operands, attributes } of expand(program, () => false)) {
    const translation = translationOf(contract.name)
    if (!translation) {
      throw new LocalFlowError(
        `The model has a layer that cannot be exported to ONNX: ${contract.name}. Those that can be: ${translated.join(', ')}.`,
      )
    }
    translation({ graph, memory }, operands as Record<string, ProgramTensor>, attributes)
  }
}

function finished(path: string, graph: Graph, model: ExportedModel, metadata: Record<string, string>): ExportedFile {
  const producer = { name: 'local-flow-matching', version: model.version }
  const { parts, length } = graph.model(metadata, producer)
  expectRoom(path, length)
  return { path, content: parts }
}

/** v(x, t, cond) of a sub-flow, x standardised as in training: x [n, …dims], t [n], cond [n, C] → v [n, …dims]. */
function fieldFile(path: string, model: ExportedModel, number: number, { licence }: ExportOptions): ExportedFile {
  const { network, rowShape, stages } = model
  const { parameters, outputScale, jump, angle } = stages[number]
  const graph = new Graph('velocity')
  const memory = new Memory(graph)
  const device = new Recorder()
  const builder = new ProgramBuilder()
  const own = device.createBuffer(network.parameterLength)
  own.write(parameters)
  const x = builder.tensor(device.createBuffer(ROWS * network.dimension), [ROWS, network.dimension])
  const t = builder.tensor(device.createBuffer(ROWS))
  const out = builder.tensor(device.createBuffer(ROWS * network.dimension), [ROWS, network.dimension])
  memory.holdRows(x, graph.input({ name: 'x', shape: [BATCH, ...rowShape] }), rowShape)
  memory.holdRows(t, graph.input({ name: 't', shape: [BATCH] }), [])
  const { condition: C } = network
  const condition = C > 0 ? builder.tensor(device.createBuffer(ROWS * C), [ROWS, C]) : undefined
  if (condition)
    memory.holdRows(condition, model.condition ? told(graph, model.condition, BATCH) : secondTime(graph, C))
  const moves = model.segments && angle ? velocityOfChoices(network, model.segments, angle) : network
  moves.addVelocity(builder, { parameters: builder.tensor(own), x, t, condition, out }, outputScale)
  translate(graph, memory, builder.build())
  graph.output(memory.rows(out, rowShape), { name: 'v', shape: [BATCH, ...rowShape] })
  return finished(path, graph, model, {
    sub_flow: `${number + 1} of ${stages.length}, 1 at the data`,
    ...(jump ? { map: mapWords(jump) } : { time: '0 at the data side of the sub-flow, 1 at the noise side' }),
    ...scalerWords(model),
    ...conditionWords(model),
    licence: licence ?? NO_LICENCE,
  })
}

/** The second time of a student's network. */
const secondTime = (graph: Graph, C: number): string => graph.input({ name: 'cond', shape: [BATCH, C] })

/** What the inputs `cond` or `class` are: the columns with their scale, or the classes, and whether they may be left out. */
const conditionWords = ({ condition }: ExportedModel): Record<string, string> =>
  condition ? { condition: JSON.stringify(condition) } : {}

/** What v of a student is. */
function mapWords(jump: Jump): string {
  if (jump.kind === 'average') return 'x - (t - cond) v(x, t, cond) is the state at the time cond, from the one at t'
  const { time, secondTime } = jump
  return secondTime === undefined
    ? `x - v(x, t) is its other end, for the one t that it was trained at, ${time}`
    : `x - (1 - cond) v(x, t, cond) is the state at its own time cond from the one at 1, for the one t that it was trained at, ${time}`
}

/** What x of a field is: (data − mean)/std. */
const scalerWords = ({ scaler }: ExportedModel): Record<string, string> =>
  scaler ? { mean: JSON.stringify(scaler.mean), std: JSON.stringify(scaler.std) } : {}

/** noise [n, …dims] → samples [n, …dims] in the units of the data. */
async function samplerFile(path: string, model: ExportedModel, options: ExportOptions): Promise<ExportedFile> {
  const { rowShape, scaler, stages, encoding } = model
  const { operations, noise, samples, condition, rows, guidance, evaluations, solver } = await recordSampler(
    model,
    options,
  )
  const graph = new Graph('sampler')
  const memory = new Memory(graph)
  memory.holdRows(noise, graph.input({ name: 'noise', shape: [BATCH, ...rowShape] }), rowShape)
  const untold = guidance.every((weight) => weight === 0)
  if (condition && model.condition) {
    const C = model.network.condition
    const given = untold ? nothingTold(graph, 'noise', C) : told(graph, model.condition, BATCH)
    memory.holdRows({ ...condition, shape: [rows, C] }, given)
    if (condition.shape[0] > rows) {
      const behind = { ...condition, offset: condition.offset + rows * C, shape: [rows, C] }
      memory.holdRows(behind, nothingTold(graph, given, C))
    }
  }
  translate(graph, memory, { operations })
  let values = memory.rows(samples, rowShape)
  if (scaler) {
    values = graph.node('Mul', [values, graph.constant(scaler.std, rowShape)])
    values = graph.node('Add', [values, graph.constant(scaler.mean, rowShape)])
  }
  graph.output(values, { name: 'samples', shape: [BATCH, ...rowShape] })
  const columns = encoding && tableOutputs(graph, values, encoding, BATCH)
  return finished(path, graph, model, {
    sub_flows: String(stages.length),
    solver,
    evaluations: String(evaluations),
    ...(untold ? {} : conditionWords(model)),
    ...(columns && { columns: JSON.stringify(columns) }),
    ...(model.condition && { guidance: JSON.stringify(guidance) }),
    licence: options.licence ?? NO_LICENCE,
  })
}
