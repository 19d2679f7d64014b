/**
 * The facts of a report, as a manifest holds them. They come from a file, so every part is checked before it goes into a page.
 */

import * as z from 'zod'
import type { ReportFacts } from './report.js'

const text = z.string()
const number = z.number()
const numberOrNone = number.nullable().optional()

const evaluation = z.looseObject({
  nll: number,
  entropy: numberOrNone,
  kl: numberOrNone,
  bitsPerDim: numberOrNone,
  nfe: number,
  nfeMax: numberOrNone,
  n: number,
  doublingChange: numberOrNone,
  solver: text,
  trace: text,
  device: text,
  seconds: number,
})

const quality = z.looseObject({
  fid: number,
  precision: number,
  recall: number,
  accuracy: number.optional(),
  guidance: z.array(number).optional(),
  floor: number.nullable(),
  features: text,
  caution: text.nullable().optional(),
  samples: number,
  against: z.looseObject({ part: text, n: number }),
  neighbours: number,
  nfe: number,
  nfeMax: numberOrNone,
  solver: text,
  device: text,
  seconds: number,
})

const curve = z.looseObject({
  quantity: text,
  points: z.array(z.looseObject({ evaluations: number, value: number })),
  floor: number,
  solver: text,
  samples: number,
  against: z.looseObject({ part: text, n: number }),
  seconds: number,
})

const figure = number.nullable()
const table = z.looseObject({
  figures: z.array(
    z.looseObject({
      name: text,
      ideal: figure,
      synthetic: figure,
      real: figure,
      // reports of earlier versions have none
      redrawn: figure.optional(),
      independent: figure,
      copula: figure,
    }),
  ),
  columns: z.array(z.looseObject({ name: text, score: number })),
  rows: z.looseObject({ heldOut: number, synthetic: number }),
  part: text,
})

export const reportFacts: z.ZodType<ReportFacts> = z.looseObject({
  title: text,
  date: text,
  runFolder: text,
  device: z.looseObject({ kind: text, adapter: text.nullable().optional(), cpuTarget: text.nullable().optional() }),
  data: z.looseObject({
    description: text,
    dimensions: number,
    pictures: z.boolean().optional(),
    mixed: z.boolean().optional(),
    train: number,
    validation: number,
    test: number,
  }),
  model: text,
  subFlows: z.array(
    z.looseObject({
      gamma: number.nullable(),
      interpolant: text,
      steps: number,
      parameters: number,
      finalLoss: number.nullable(),
      excessLoss: numberOrNone,
      validationLoss: numberOrNone,
    }),
  ),
  batch: number,
  seed: number,
  trainSeconds: number,
  pushSeconds: number,
  stepMs: number,
  sampling: z.looseObject({ solver: text, nfe: number, nfeMax: numberOrNone, n: number }),
  columns: z
    .looseObject({ of: number, shown: z.array(text), pair: z.array(text) })
    .nullable()
    .optional(),
  evaluation: evaluation.nullable().optional(),
  quality: quality.nullable().optional(),
  curve: curve.nullable().optional(),
  table: table.nullable().optional(),
  teacher: z
    .looseObject({ folder: text, kind: text, nfe: number, shown: z.array(text) })
    .nullable()
    .optional(),
  remarks: z.array(text).optional(),
  config: text,
  versions: z.record(text, text),
  reproduce: z.array(text),
})
