/**
 * A model as ONNX files: the velocity of each sub-flow, and the sampler from noise to data in the units of the data. The
 * graphs are read off the programs that a device would run: the networks' own, and that of `Flow.sample`, whatever its stages
 * are. So a graph computes what the library computes, up to the order of sums.
 */

import { InvalidArgumentError, LocalFlowError } from '../../errors.js'
import { Flow } from '../../model/flow.js'
import { fixedStepSolvers } from '../../ode/methods.js'
import { describeSolver, isAdaptive, overridden } from '../../ode/solver.js'
import { expand } from '../../program/lower.js'
import { ALIGNMENT, type Operation, type Program, ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { type ExportedFile, type ExportedModel, type Exporter, type ExportOptions, NO_LICENCE } from '../exporter.js'
import { Graph } from './graph.js'
import { translated, translationOf } from './kernels.js'
import { Memory } from './memory.js'
import { Recorder, wasRead } from './recorder.js'

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

/** v(x, t) of a sub-flow, x standardised as in training: x [n, …dims], t [n] → v [n, …dims]. */
function fieldFile(path: string, model: ExportedModel, number: number, { licence }: ExportOptions): ExportedFile {
  const { network, rowShape, stages } = model
  const { parameters, outputScale } = stages[number]
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
  network.addVelocity(builder, { parameters: builder.tensor(own), x, t, out }, outputScale)
  translate(graph, memory, builder.build())
  graph.output(memory.rows(out, rowShape), { name: 'v', shape: [BATCH, ...rowShape] })
  return finished(path, graph, model, {
    sub_flow: `${number + 1} of ${stages.length}, 1 at the data`,
    time: '0 at the data side of the sub-flow, 1 at the noise side',
    ...scalerWords(model),
    licence: licence ?? NO_LICENCE,
  })
}

/** What x of a field is: (data − mean)/std. */
const scalerWords = ({ scaler }: ExportedModel): Record<string, string> =>
  scaler ? { mean: JSON.stringify(scaler.mean), std: JSON.stringify(scaler.std) } : {}

/** noise [n, …dims] → samples [n, …dims] in the units of the data. */
async function samplerFile(path: string, model: ExportedModel, options: ExportOptions): Promise<ExportedFile> {
  const { rowShape, scaler, stages, settings } = model
  const { licence, ...overrides } = options
  const solver = overridden(settings.sample, overrides)
  if (isAdaptive(solver)) {
    throw new InvalidArgumentError(
      `${solver.solver} finds its steps while it goes, but a graph has a list of them: take --solver ` +
        `${fixedStepSolvers.join(', ')}, with --steps or --evaluations.`,
    )
  }
  const device = new Recorder()
  const flow = new Flow(model, device, async () => device)
  await flow.sample(1, overrides)
  const graph = new Graph('sampler')
  const memory = new Memory(graph)
  const { operations } = device.programs[0]
  const drawing = operations.filter(({ contract }) => contract.name === 'normal')
  for (const { operands } of drawing) {
    memory.holdRows(operands.y!, graph.input({ name: 'noise', shape: [BATCH, ...rowShape] }), rowShape)
  }
  translate(graph, memory, { operations: operations.filter((operation) => !drawing.includes(operation)) })
  let samples = memory.rows(resultOf(operations), rowShape)
  if (scaler) {
    samples = graph.node('Mul', [samples, graph.constant(scaler.std)])
    samples = graph.node('Add', [samples, graph.constant(scaler.mean)])
  }
  graph.output(samples, { name: 'samples', shape: [BATCH, ...rowShape] })
  return finished(path, graph, model, {
    sub_flows: String(stages.length),
    solver: describeSolver(solver),
    evaluations: String(flow.evaluations?.mean),
    licence: licence ?? NO_LICENCE,
  })
}

/** What the host reads when a program has run. */
function resultOf(operations: readonly Operation[]): ProgramTensor {
  for (const { operands, contract } of [...operations].reverse()) {
    for (const [name, tensor] of Object.entries(operands)) {
      const writes = contract.operands[name].access !== 'read'
      if (writes && tensor?.storage.kind === 'buffer' && wasRead(tensor.storage.buffer)) return tensor
    }
  }
  throw new LocalFlowError('The program of a sample has no result.')
}
