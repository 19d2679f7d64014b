/**
 * Text to records (RFC 4180): fields between delimiters, lines that end in \n, \r\n or \r, fields in quotes that hold any of these,
 * a quote in them written twice. White space around fields is no part of them, and lines of nothing but white space are no
 * records. The text comes in pieces, of which none is kept but what the open field needs: time is in proportion to the text, and
 * the memory is a record's, whose length and number of fields have limits.
 *
 * It is ours since a text from a stranger must not hold a process up: csv-parse, which its tests hold it against, takes ten times
 * as long, so that 20 MB took four seconds.
 */

import { DataError } from '../errors.js'
import { cannotRead, isOfSystem } from '../files/reasons.js'
import { type TextFile, tooLong } from './text-file.js'

export interface RecordOptions {
  /** what the text is called in messages */
  readonly name: string
  /** what it should be, as messages say: a table of text */
  readonly what: string
  /** one character */
  readonly delimiter: string
  /** characters of a record, at most */
  readonly longest: number
  /** fields of a record, at most */
  readonly widest: number
}

/** Takes a record; `line` is the one in which it ends, from 1. */
export type TakeRecord = (record: readonly string[], line: number) => void

const [TAB, LF, FF, CR, SPACE, QUOTE] = [9, 10, 12, 13, 32, 34]

const isBlank = (code: number): boolean => code === SPACE || code === TAB || code === FF

/** Where a reader stands: before a field, in one, in one with quotes, at a quote in it, behind its end. */
const [BEFORE, PLAIN, QUOTED, AT_QUOTE, BEHIND] = [0, 1, 2, 3, 4]

/** The field without blanks at its end. */
function trimmed(text: string): string {
  let end = text.length
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--
  return end === text.length ? text : text.slice(0, end)
}

export class RecordCutter {
  private readonly delimiter: number
  private state = BEFORE
  /** the open field's characters that came before; quotes that are part of it stand once */
  private open = ''
  private fields: string[] = []
  private line = 1
  /** where the open record's quote was opened */
  private quotedSince = 1
  /** characters of the open record in the pieces before */
  private length = 0
  /** whether the last character was a \r, of which a \n would be the rest */
  private returned = false

  constructor(
    private readonly options: RecordOptions,
    private readonly take: TakeRecord,
  ) {
    this.delimiter = options.delimiter.charCodeAt(0)
  }

  /** @throws DataError for what is no record, and what `take` throws */
  push(text: string): void {
    const { delimiter } = this
    const end = text.length
    let { state } = this
    // where the open field's part of this piece begins, and the record's
    let from = 0
    let began = 0
    let i = 0
    if (this.returned && state !== QUOTED && end > 0 && text.charCodeAt(0) === LF) from = began = i = 1
    for (; i < end; i++) {
      const code = text.charCodeAt(i)
      if (state === QUOTED) {
        if (code === QUOTE) {
          this.open += text.slice(from, i)
          state = AT_QUOTE
        } else if (code === CR || (code === LF && !(i > 0 ? text.charCodeAt(i - 1) === CR : this.returned))) {
          this.line++
        }
        continue
      }
      if (state === AT_QUOTE && code === QUOTE) {
        // the second of two is part of the field
        from = i
        state = QUOTED
        continue
      }
      const ends = code === LF || code === CR
      if (code !== delimiter && !ends) {
        if (state === PLAIN) {
          if (code === QUOTE) throw this.wrong('a quote stands in a field that does not begin with one')
        } else if (state === BEFORE) {
          if (isBlank(code)) continue
          from = i
          if (code === QUOTE) {
            from = i + 1
            state = QUOTED
            this.quotedSince = this.line
          } else state = PLAIN
        } else if (isBlank(code)) state = BEHIND
        else throw this.wrong('behind a quote that closes a field stands more of it')
        continue
      }
      if (state === PLAIN) {
        this.fields.push(trimmed(this.open === '' ? text.slice(from, i) : this.open + text.slice(from, i)))
      } else if (state !== BEFORE) this.fields.push(this.open)
      else if (!ends || this.fields.length > 0) this.fields.push('')
      this.open = ''
      state = BEFORE
      if (!ends) {
        if (this.fields.length > this.options.widest) throw this.tooWide()
        continue
      }
      this.length += i - began
      this.finish()
      if (code === CR && i + 1 < end && text.charCodeAt(i + 1) === LF) i++
      this.line++
      this.length = 0
      began = i + 1
    }
    if (state === PLAIN || state === QUOTED) this.open += text.slice(from)
    this.state = state
    if (end > 0) this.returned = text.charCodeAt(end - 1) === CR
    this.length += end - began
    if (this.length > this.options.longest) throw tooLong(this.options.name, this.options.longest)
  }

  /** The text is at its end, with or without one of its last line. */
  end(): void {
    if (this.state === QUOTED) throw this.wrong('a quote is never closed', this.quotedSince)
    if (this.state === PLAIN) this.fields.push(trimmed(this.open))
    else if (this.state !== BEFORE) this.fields.push(this.open)
    else if (this.fields.length > 0) this.fields.push('')
    this.finish()
  }

  private finish(): void {
    const { fields } = this
    if (fields.length === 0) return
    if (this.length > this.options.longest) throw tooLong(this.options.name, this.options.longest)
    if (fields.length > this.options.widest) throw this.tooWide()
    this.fields = []
    this.take(fields, this.line)
  }

  private wrong(what: string, line = this.line): DataError {
    const { name } = this.options
    return new DataError(`${name} cannot be read as ${this.options.what}: in line ${line} ${what}.`)
  }

  private tooWide(): DataError {
    const { name, widest } = this.options
    return new DataError(`${name} is no table: a line of it has more than ${widest} fields.`)
  }
}

/** Gives the records of a text one after another. Throws DataError for what cannot be read, and what `take` throws. */
export async function takeRecords(text: TextFile, options: RecordOptions, take: TakeRecord): Promise<void> {
  for await (const _ of takePieces(text, options, take));
}

/** The same, and stops after each piece of the text: what was taken can be worked on before there is more of it. */
export async function* takePieces(
  { stream }: TextFile,
  options: RecordOptions,
  take: TakeRecord,
): AsyncGenerator<void, void> {
  const cutter = new RecordCutter(options, take)
  const decoder = new TextDecoder()
  const named = (error: unknown): unknown => (isOfSystem(error) ? cannotRead(options.name, error) : error)
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const chunk = await chunks.next().catch((error) => {
        throw named(error)
      })
      if (chunk.done) break
      cutter.push(decoder.decode(chunk.value, { stream: true }))
      yield
    }
    cutter.push(decoder.decode())
    cutter.end()
  } finally {
    await chunks.return?.()
  }
}
