/**
 * Makes src/config/options.ts and src/data/options.ts from the schema in src/config/: the types of a config and of the options
 * of `LocalFlow.train`, with the words of every key where an editor shows them. Types that Zod derives from the schema carry
 * no comments. scripts/configuration-docs.mjs writes the files with docs/configuration.md; a test holds them in step.
 */

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import process from 'node:process'
import { z } from 'zod'

/** Lines of the file are no longer. */
const WIDTH = 120

/** Names of the interfaces of sections, and what stands above each; a section with a `kind` has one for each kind. */
const sections = {
  data: ['Data', 'What is learned, by `kind`. Files are split: a part is a count of rows, or a fraction below 1.'],
  model: [
    'Model',
    'The velocity field v(x, t): an mlp for rows of columns, a unet for pictures, a unet1d for sequences.',
  ],
  flow: ['FlowOptions', 'The chain of sub-flows (docs/method.md).'],
  train: ['TrainingOptions', 'The optimizer and its batches. Everything here starts anew with each sub-flow.'],
  ode: [
    'OdeOptions',
    'How ordinary differential equations are solved: four keys for all uses, and sections for one use.',
  ],
  distill: [
    'DistillOptions',
    'How a student was distilled: what `lfm distill` writes into the config of its run, and nobody else.',
  ],
}

/** Words of keys that are sections, in the interface that holds them. */
const sectionWords = {
  'flow.schedule': 'Step sizes by a formula, in place of gammas.',
  'flow.assignment': 'How noise is paired with rows where the coupling is optimal.',
  'flow.reflow': 'Fits on pairs of noise and samples (recipe: reflow).',
  'ode.push': 'The training set through a trained sub-flow; left out: the keys above.',
  'ode.sample': 'Sampling, encoding, decoding, trajectories; left out: the keys above.',
  'ode.evaluate': 'Likelihoods; left out: the keys above.',
  'distill.teacher': 'What the teacher is, where it is a student itself.',
  'train.schedule.step': 'The rate is multiplied by a factor every so many steps.',
}

const quote = (text) => `'${text.replaceAll("'", "\\'")}'`
/** 'image-density' → 'ImageDensity' */
const pascal = (name) => name.replace(/(?:^|[-_])(\w)/g, (_, letter) => letter.toUpperCase())

const isWrapper = (schema) =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
/** The schema of what is written: inside defaults, optional marks and transforms. */
const inner = (schema) =>
  isWrapper(schema) ? inner(schema.unwrap()) : schema instanceof z.ZodPipe ? inner(schema.in) : schema

function words(schema) {
  const own = z.globalRegistry.get(schema)
  if (own?.expects || own?.description) return own
  if (isWrapper(schema)) return words(schema.unwrap())
  return schema instanceof z.ZodPipe ? words(schema.in) : {}
}

const written = (value) => (typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', '))

/** What a key is for, what it takes, and its default, as sentences. */
function sentences(path, schema) {
  const { description = sectionWords[path] ?? '', expects } = words(schema)
  const typed = [z.ZodLiteral, z.ZodEnum, z.ZodBoolean, z.ZodString].some((kind) => inner(schema) instanceof kind)
  const takes = expects && !typed ? ` Takes ${expects}.` : ''
  const value = schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined
  const isSection = value !== undefined && inner(schema) instanceof z.ZodObject
  return `${description}${takes}${value === undefined || isSection ? '' : ` Default: ${written(value)}.`}`.trim()
}

/** A comment of lines that fit. */
function comment(text, indent) {
  const room = WIDTH - indent.length - 3
  if (text.length <= room - 4) return `${indent}/** ${text} */\n`
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== '' && line.length + 1 + word.length > room) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`
}

const union = (types) => [...new Set(types)].join(' | ')

/** The type of what may be written for a schema. */
function typeText(schema, path, indent) {
  const own = inner(schema)
  if (own instanceof z.ZodString) return 'string'
  if (own instanceof z.ZodNumber) return 'number'
  if (own instanceof z.ZodBoolean) return 'boolean'
  if (own instanceof z.ZodNull) return 'null'
  if (own instanceof z.ZodNullable) return `${typeText(own.unwrap(), path, indent)} | null`
  if (own instanceof z.ZodEnum) return union(own.options.map(quote))
  if (own instanceof z.ZodLiteral)
    return union([...own.values].map((value) => (typeof value === 'string' ? quote(value) : String(value))))
  if (own instanceof z.ZodTemplateLiteral)
    return `\`${own.def.parts.map((part) => (typeof part === 'string' ? part : `\${${typeText(part, path, indent)}}`)).join('')}\``
  if (own instanceof z.ZodUnion) return union(own.options.map((option) => typeText(option, path, indent)))
  if (own instanceof z.ZodTuple)
    return `readonly [${own.def.items.map((item) => typeText(item, path, indent)).join(', ')}]`
  if (own instanceof z.ZodArray) {
    const item = typeText(own.element, path, indent)
    return `readonly ${/[ |]/.test(item) ? `(${item})` : item}[]`
  }
  if (own instanceof z.ZodRecord) return `Readonly<Record<string, ${typeText(own.valueType, path, indent)}>>`
  if (own instanceof z.ZodObject) return `{\n${members(own, path, `${indent}  `)}${indent}}`
  throw new Error(`${path}: a schema of the kind ${own.constructor.name} has no type here yet`)
}

/** The keys of a section, each with its words. A key that may be left out is optional. */
function members(section, path, indent) {
  return Object.entries(section.shape)
    .map(([name, schema]) => {
      const at = path ? `${path}.${name}` : name
      const text = sentences(at, schema)
      if (!text) throw new Error(`${at} has no words: give its schema a description`)
      return `${comment(text, indent)}${indent}${name}${isWrapper(schema) ? '?' : ''}: ${typeText(schema, at, indent)}\n`
    })
    .join('')
}

const kindOf = (form) => String([...inner(form.shape.kind).values][0])

/** The interfaces of a section: one, or one for each kind and their union. */
function interfaces(name, schema) {
  const [title, text] = sections[name]
  const own = inner(schema)
  if (own instanceof z.ZodObject)
    return `${comment(text, '')}export interface ${title} {\n${members(own, name, '  ')}}\n`
  const forms = own.options.map((form) => ({
    title: `${pascal(kindOf(form))}${title}Options`,
    form,
    text: words(form.shape.kind).description,
  }))
  return [
    ...forms.map(
      (one) => `${comment(one.text, '')}export interface ${one.title} {\n${members(one.form, name, '  ')}}\n`,
    ),
    `${comment(text, '')}export type ${title}Options = ${forms.map((one) => one.title).join(' | ')}\n`,
  ].join('\n')
}

const head = (what) => `/**
 * ${what}
 *
 * Written by scripts/configuration-docs.mjs from the schema in src/config/; change that, not this file.
 */
`

/** As the repository's formatter leaves it. */
const formatted = (text, path) =>
  execFileSync(
    process.execPath,
    [createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome'), 'format', `--stdin-file-path=${path}`],
    {
      input: text,
      encoding: 'utf8',
    },
  )

/** The files, by their paths in the repository. @param schema configSchema */
export function optionTypes(schema) {
  const { data, ...options } = schema.shape
  const row = (name, child) => {
    const [title, text] = sections[name] ?? []
    const type = title ? (title.endsWith('Options') ? title : `${title}Options`) : typeText(child, name, '  ')
    return `${comment(text ?? sentences(name, child), '  ')}  ${name}${isWrapper(child) ? '?' : ''}: ${type}\n`
  }
  const rows = Object.entries(options).map(([name, child]) => row(name, child))
  const own = Object.entries(options).filter(([name]) => sections[name])
  const files = {
    'src/data/options.ts': `${head('What a person writes in the section `data` of a config.')}
${interfaces('data', data)}`,
    'src/config/options.ts': `${head('What a person writes: the options of `LocalFlow.train`, and a config file.')}
import type { DataOptions } from '../data/options.js'

${own.map(([name, child]) => interfaces(name, child)).join('\n')}
/** Options of \`LocalFlow.train\`: every key of a config but its data. All may be left out. */
export interface TrainOptions {
${rows.join('')}}

/** A config, as its YAML file says it; paths in it are relative to that file. */
export interface Config extends TrainOptions {
${row('data', data)}}
`,
  }
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path, formatted(text, path)]))
}
