/** Writes what was gathered into the folder of a comparison: compare.md, compare.json, compare.html and its curves. */

import { join } from 'node:path'
import { type Content, writeFileAtomic } from '../../files/atomic.js'
import { cannotWrite } from '../../files/reasons.js'
import { type CurvePanel, curvesFigure, renderComparison, renderPng } from '../../plot/index.js'
import type { Comparison } from './gather.js'
import { aaTable, blockTables, blockTitle, markdown, remarks } from './tables.js'

const CURVES = 'curves.png'

/**
 * Paths of what was written.
 * @param undrawn why this machine cannot draw curves; null where it can
 */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  { title, command, undrawn }: { title: string; command: string; undrawn: string | null },
): Promise<{ markdown: string; json: string; page: string }> {
  const write = async (name: string, content: Content): Promise<string> => {
    const path = join(folder, name)
    await writeFileAtomic(path, content).catch((error) => {
      throw cannotWrite(path, error)
    })
    return path
  }
  const png = undrawn === null ? await curves(comparison) : null
  if (png) await write(CURVES, png)
  const { blocks, distance, samples, testRows, parameters } = comparison
  const aa = aaTable(comparison)
  const html = renderComparison({
    title,
    date: new Date().toISOString(),
    lead:
      `${distance} of ${samples} samples against ${testRows} test rows. Every method with the solver that is best on the ` +
      'validation part; means and standard deviations over seeds.',
    remarks: [...remarks(comparison), ...(undrawn === null ? [] : [`There are no curves: ${undrawn}`])],
    curves: png && {
      png,
      caption:
        `${distance} on the test part; whiskers are one standard deviation over seeds, the dashed line is the distance of as ` +
        'many training rows.',
    },
    sections: [
      ...blocks.map((block) => ({
        heading: blockTitle(block, parameters),
        tables: blockTables(block, comparison),
      })),
      ...(aa ? [{ heading: 'The same method under other seeds', tables: [aa] }] : []),
    ],
    reproduce: [command],
  })
  return {
    markdown: await write('compare.md', markdown(comparison)),
    json: await write('compare.json', `${JSON.stringify(comparison, null, 2)}\n`),
    page: await write('compare.html', html),
  }
}

async function curves({ blocks, distance, floor, parameters }: Comparison): Promise<Uint8Array | null> {
  const panels = blocks.map(
    (block): CurvePanel => ({
      title: blockTitle(block, parameters),
      curves: block.methods.map(({ label, points }) => ({
        label,
        points: points.flatMap(({ best }) =>
          best
            ? [
                {
                  evaluations: best.evaluations,
                  value: best.distance.mean,
                  spread: best.distance.std ?? undefined,
                },
              ]
            : [],
        ),
      })),
    }),
  )
  const drawn = panels.some((panel) => panel.curves.some((curve) => curve.points.length > 0))
  if (!drawn) return null
  return renderPng(await curvesFigure({ panels, quantity: distance, floor: floor.mean }))
}
