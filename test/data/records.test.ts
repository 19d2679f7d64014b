/** Records of text, against csv-parse, which is told to do the same; pieces cut anywhere; and what is refused. */

import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import { RecordCutter } from '../../src/data/records.js'
import { RoomForTexts, TextColumnBuilder } from '../../src/data/tables/text-column.js'
import { DataError } from '../../src/errors.js'
// @ts-expect-error a file of JavaScript, for the fuzzing's sake
import { Dice } from '../trust/fuzz-cases.mjs'

const options = { name: 'a.csv', what: 'CSV', delimiter: ',', longest: 100, widest: 10 }

type Records = [string[], number][]

function cut(pieces: readonly string[], delimiter = ',', limits = {}): Records {
  const records: Records = []
  const cutter = new RecordCutter({ ...options, delimiter, ...limits }, (record, line) => {
    records.push([[...record], line])
  })
  for (const piece of pieces) cutter.push(piece)
  cutter.end()
  return records
}

const refusal = (pieces: readonly string[], limits = {}): DataError => {
  try {
    cut(pieces, ',', limits)
  } catch (error) {
    expect(error).toBeInstanceOf(DataError)
    return error as DataError
  }
  throw new Error(`${JSON.stringify(pieces)} was read`)
}

/** What csv-parse makes of it; null: it is no CSV. */
function reference(text: string, delimiter: string): string[][] | null {
  try {
    return parse(text, {
      delimiter,
      record_delimiter: ['\r\n', '\n', '\r'],
      trim: true,
      relax_column_count: true,
      skip_empty_lines: true,
    })
  } catch {
    return null
  }
}

describe('records of text', () => {
  it('are those of csv-parse, however the text is cut to pieces', () => {
    let read = 0
    for (let number = 0; number < 6000; number++) {
      const dice = new Dice(number)
      const delimiter = dice.pick([',', ';', '\t'])
      const parts = [
        'a',
        '1',
        ' ',
        'é',
        '\t',
        '\n',
        '\r\n',
        '\r',
        delimiter,
        delimiter,
        '"',
        '"x"',
        '"x ""y"" z"',
        '""',
      ]
      const text = Array.from({ length: dice.below(14) }, () => dice.pick(parts)).join('')
      // an empty field in quotes with more behind it is one that csv-parse begins again
      if (/""[ \t]+"/.test(text)) continue
      const expected = reference(text, delimiter)
      const at = [dice.below(text.length + 1), dice.below(text.length + 1)].sort((a, b) => a - b)
      const pieces = [text.slice(0, at[0]), text.slice(at[0], at[1]), text.slice(at[1])]
      for (const some of [[text], pieces, [...text]]) {
        const shown = `${JSON.stringify(some)} by ${JSON.stringify(delimiter)}`
        if (expected === null) expect(() => cut(some, delimiter), shown).toThrow(DataError)
        else
          expect(
            cut(some, delimiter).map(([record]) => record),
            shown,
          ).toEqual(expected)
      }
      if (expected && expected.length > 0) read++
    }
    expect(read).toBeGreaterThan(1500)
  })

  it('know the line in which they end, whatever ends it and wherever the text is cut', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['a,b', '', '"1', '2",3', '  ', '4,5'].join(end)
      for (const pieces of [[text], [...text]]) {
        expect(
          cut(pieces).map(([, line]) => line),
          JSON.stringify(pieces),
        ).toEqual([1, 4, 6])
      }
    }
  })

  it('are refused for quotes where none may be, with the line', () => {
    expect(refusal(['1,2\n3,a"b"\n']).message).toBe(
      'a.csv cannot be read as CSV: in line 2 a quote stands in a field that does not begin with one.',
    )
    expect(refusal(['1,2\n\n"a"b,3\n']).message).toMatch(/in line 3 behind a quote that closes a field/)
    expect(refusal(['1,2\n"a\nb\n']).message).toMatch(/in line 2 a quote is never closed/)
  })

  it('have at most so many characters, in one piece or in many, in quotes or not', () => {
    for (const text of ['x'.repeat(101), `"${'x\n'.repeat(50)}"`]) {
      for (const pieces of [[text], [`${text}\n`], [...text]]) {
        expect(refusal(pieces).message).toMatch(/a line of it has more than 100 characters/)
      }
    }
    expect(cut(['x'.repeat(100), '\n', 'y'.repeat(100)])).toHaveLength(2)
  })

  it('have at most so many fields', () => {
    expect(cut([','.repeat(9)])[0][0]).toHaveLength(10)
    for (const text of [','.repeat(10), ',\n'.repeat(20) + ','.repeat(10), ','.repeat(90)]) {
      expect(refusal([text]).message).toMatch(/a line of it has more than 10 fields/)
    }
  })
})

it('columns of a table have room for so many distinct texts together', () => {
  const room = new RoomForTexts('a.csv', 3)
  const [one, other] = [new TextColumnBuilder('line', room), new TextColumnBuilder('line', room)]
  for (let row = 1; row < 100; row++) {
    one.add('a', row)
    other.add(String(row % 2), row)
  }
  expect(() => one.add('b', 100)).toThrow(/a\.csv has more than 3 distinct texts in its columns/)
  const { texts, codes, places } = other.column('x')
  expect(texts).toEqual(['1', '0'])
  expect([...codes.subarray(0, 4)]).toEqual([0, 1, 0, 1])
  expect(codes).toHaveLength(99)
  expect(places).toEqual([1, 2])
})
