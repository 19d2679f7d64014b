/**
 * From the files of shaders/ to what a pipeline is made of. A *shader* is one .wgsl file; a line `#include "x.wgsl"` puts
 * shaders/include/x.wgsl in its place, once, and directives move to the top. A product kernel includes "product.wgsl",
 * "elements.wgsl" and "activate.wgsl", which are no files: the chosen variant says which of the product_*.wgsl,
 * elements_*.wgsl and activate_*.wgsl they stand for. "activation.wgsl" stands for the operation's activation. So it is with "channels.wgsl", of normalisations, "pool_words.wgsl",
 * for a pool in one or several bindings, "stored.wgsl" and "weights.wgsl", for inputs of a network and weights of a convolution in
 * float32 or float16, "loads.wgsl", for what a product of float16 multiplies, and
 * "condition.wgsl", "right.wgsl" and "path.wgsl", whose bindings are there only where a batch needs them: an adapter may
 * allow no more than eight.
 * Everything else that a pipeline varies in is a pipeline-overridable constant.
 *
 * The text is the only home of the interface: bindings and the fields of `Uniforms` are read from it. A binding is named
 * as the operand it takes, with an underscore after it where WGSL reserves the word.
 */

import { LocalFlowError } from '../../errors.js'
import type { ActivationName } from '../../kernels/activations.js'
import type { Variant } from './target.js'

export interface Binding {
  readonly name: string
  readonly index: number
  readonly type: 'read-only-storage' | 'storage'
}

export interface UniformField {
  readonly name: string
  readonly type: 'u32' | 'f32'
  /** elements, a multiple of four, of a list (array<vec4f, n> or array<vec4u, n>); 0 for a number */
  readonly list: number
}

export interface Shader {
  readonly name: string
  readonly code: string
  readonly bindings: readonly Binding[]
  readonly uniforms: readonly UniformField[]
}

/** Reads a file of shaders/ by its path there; Node and browsers have one each. */
export type ReadShader = (path: string) => Promise<string>

/** Numbers in an Element of the result: see elements_*.wgsl. */
const resultWidths = { scalar: 1, dots: 1, wide: 4, thin: 4 }

/** What the includes that are no files stand for. */
export interface Includes {
  readonly product?: string
  readonly elements?: Variant['elements']
  /** default 'identity' */
  readonly activation?: ActivationName
  /** default 'whole' */
  readonly pool?: 'whole' | 'split'
  /** default 'f32' */
  readonly stored?: 'f32' | 'f16'
  /** where the factors of a product of float16 come from; default 'linear' */
  readonly loads?: 'linear' | 'patches' | 'taps'
  /** fragments of a team, in products of float16; default '2x2' */
  readonly team?: '2x2' | '4x2'
  /** default 'none' */
  readonly condition?: 'none' | 'copied'
  /** default 'drawn' */
  readonly right?: 'drawn' | 'stored'
  /** default 'closed' */
  readonly path?: 'closed' | 'table'
}

export async function loadShader(
  read: ReadShader,
  name: string,
  {
    product,
    elements,
    activation = 'identity',
    pool = 'whole',
    stored = 'f32',
    loads = 'linear',
    team = '2x2',
    condition = 'none',
    right = 'drawn',
    path = 'closed',
  }: Includes = {},
): Promise<Shader> {
  const files: Readonly<Record<string, string>> = {
    'product.wgsl': `product_${product}.wgsl`,
    'activation.wgsl': `activation_${activation}.wgsl`,
    'pool_words.wgsl': `pool_words_${pool}.wgsl`,
    'stored.wgsl': `stored_${stored}.wgsl`,
    'weights.wgsl': `weights_${stored}.wgsl`,
    'loads.wgsl': `loads_${loads}.wgsl`,
    'team.wgsl': `team_${team}.wgsl`,
    'condition.wgsl': `condition_${condition}.wgsl`,
    'right.wgsl': `right_${right}.wgsl`,
    'path.wgsl': `path_${path}.wgsl`,
    ...(elements && {
      'elements.wgsl': `elements_${elements}.wgsl`,
      'activate.wgsl': `activate_${resultWidths[elements]}.wgsl`,
      'half_elements.wgsl': `half_elements_${resultWidths[elements]}.wgsl`,
      'channels.wgsl': `channels_${resultWidths[elements]}.wgsl`,
    }),
  }
  const directives: string[] = []
  const included = new Set<string>()
  const include = async (source: string): Promise<string> => {
    const lines: string[] = []
    for (const line of (await read(source)).split('\n')) {
      const wanted = /^#include "([\w.]+)"$/.exec(line)?.[1]
      if (wanted) {
        const file = files[wanted] ?? wanted
        if (!included.has(file)) {
          included.add(file)
          lines.push(await include(`include/${file}`))
        }
      } else if (/^(enable|requires|diagnostic)\b/.test(line)) directives.push(line)
      else lines.push(line)
    }
    return lines.join('\n')
  }
  const body = await include(`${name}.wgsl`)
  return { name, code: [...directives, body].join('\n'), bindings: bindingsOf(body), uniforms: uniformsOf(name, body) }
}

function bindingsOf(code: string): Binding[] {
  const pattern = /@binding\((\d+)\) var<storage, (read|read_write)> (\w+?)_?:/g
  return [...code.matchAll(pattern)].map(([, index, access, name]) => ({
    name,
    index: Number(index),
    type: access === 'read' ? 'read-only-storage' : 'storage',
  }))
}

function uniformsOf(name: string, code: string): UniformField[] {
  const body = /struct Uniforms \{([^}]*)\}/.exec(code)?.[1]
  if (body === undefined) throw new LocalFlowError(`${name}.wgsl has no struct Uniforms.`)
  const pattern = /(\w+): (?:(u32|f32)|array<vec4([uf]), (\d+)>)/g
  return [...body.matchAll(pattern)].map(([, field, type, element, vectors]) => ({
    name: field,
    type: (type ?? `${element}32`) as UniformField['type'],
    list: 4 * Number(vectors ?? 0),
  }))
}

/**
 * The bytes of a shader's uniforms. Numbers lie one after the other; lists are arrays of vectors and come first in every
 * struct, where their alignment is met; what the caller's list does not fill is zero.
 */
export function packUniforms(
  shader: Shader,
  values: Readonly<Record<string, number | readonly number[]>>,
): ArrayBuffer {
  const unknown = Object.keys(values).filter((name) => !shader.uniforms.some((field) => field.name === name))
  if (unknown.length > 0) throw new LocalFlowError(`${shader.name}.wgsl has no uniform ${unknown.join(', ')}.`)
  const words: number[] = []
  const view = new DataView(new ArrayBuffer(4))
  const word = (value: number, type: 'u32' | 'f32'): void => {
    if (type === 'f32') view.setFloat32(0, value, true)
    else view.setUint32(0, value, true)
    words.push(view.getUint32(0, true))
  }
  for (const { name, type, list } of shader.uniforms) {
    const value = values[name]
    if (value === undefined) throw new LocalFlowError(`${shader.name}.wgsl: uniform ${name} was not given.`)
    if (list === 0) word(value as number, type)
    else for (let i = 0; i < list; i++) word((value as readonly number[])[i] ?? 0, type)
  }
  while (words.length % 4 !== 0) words.push(0)
  return Uint32Array.from(words).buffer
}

/** Bytes that packUniforms makes. */
export const uniformBytes = ({ uniforms }: Shader): number =>
  16 * Math.ceil(uniforms.reduce((words, { list }) => words + Math.max(1, list), 0) / 4)
