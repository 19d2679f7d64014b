/** A column of one value: nothing to learn, no numbers. */

import * as z from 'zod'
import type { Encoder } from './encoder.js'

const schema = z.object({ value: z.number() })

export const constant: Encoder<z.output<typeof schema>> = {
  schema,
  describe: () => 'one value, which is written back',
  fit: ({ sorted }) => ({ value: sorted[0] ?? 0 }),
  open: ({ value }) => ({ names: [], are: 'number', encode: () => {}, decode: () => value }),
}
