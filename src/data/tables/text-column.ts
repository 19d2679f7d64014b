/**
 * A column of a file as it is written: each distinct text once, and which of them stands in each row. What kind of column it is
 * is told from the texts (kinds.ts), so a million rows of ten words are looked at ten times.
 */

import { DataError } from '../../errors.js'

/** Texts of a column, by rows. */
export interface TextColumn {
  readonly name: string
  /** distinct texts, in the order of their first row */
  readonly texts: readonly string[]
  /** rows that hold each text */
  readonly counts: ArrayLike<number>
  /** [rows], indices into `texts` */
  readonly codes: Int32Array
  /** where each text first stands: a number of a line or a row, from 1 */
  readonly places: readonly number[]
  /** what such a number is one of, as a file's reader calls it: line 7 */
  readonly unit: 'line' | 'row'
}

/** Numbers of a piece, at first and at most: a table may have ten thousand columns, and a column a billion rows. */
const [FIRST_PIECE, PIECE] = [1 << 6, 1 << 16]

/** A list of numbers that grows by pieces, none of which moves: one that doubled would be there twice, and half empty. */
class Growing<Values extends Int32Array | Float64Array> {
  private readonly pieces: Values[] = []
  private piece: Values
  private at = 0
  length = 0

  constructor(private readonly make: (length: number) => Values) {
    this.piece = make(0)
  }

  push(value: number): void {
    if (this.at === this.piece.length) {
      this.piece = this.make(Math.max(FIRST_PIECE, Math.min(2 * this.piece.length, PIECE)))
      this.pieces.push(this.piece)
      this.at = 0
    }
    this.piece[this.at++] = value
    this.length++
  }

  /** All of them, in one; the list is empty then. */
  takeAll(): Values {
    const whole = this.make(this.length)
    let from = 0
    for (const piece of this.pieces.splice(0)) {
      whole.set(piece.subarray(0, Math.min(piece.length, this.length - from)), from)
      from += piece.length
    }
    this.piece = this.make(0)
    this.at = this.length = 0
    return whole
  }
}

/** A list of numbers that grows. */
export class GrowingValues extends Growing<Float64Array> {
  constructor() {
    super((length) => new Float64Array(length))
  }
}

/** A list of whole numbers that grows. */
class GrowingCodes extends Growing<Int32Array> {
  constructor() {
    super((length) => new Int32Array(length))
  }
}

/** Characters from which on V8 keeps a piece of a text as a view of the whole. */
const VIEW = 13

/** A text of its own, which does not keep the one that it was cut from. */
const detached = (text: string): string => (text.length < VIEW ? text : Buffer.from(text).toString())

/** Distinct texts that the columns of a table may have together; each takes about a hundred bytes. */
const MOST_TEXTS = 10_000_000

/** What the columns of one table have left. */
export class RoomForTexts {
  private used = 0

  constructor(
    private readonly name: string,
    private readonly most = MOST_TEXTS,
  ) {}

  /** Throws DataError where there is room for no more. */
  take(): void {
    if (++this.used <= this.most) return
    throw new DataError(
      `${this.name} has more than ${this.most} distinct texts in its columns, which are kept until it is known what each column holds. ` +
        'Numbers by the million are read from Parquet, where a column has a type; or, where all columns hold numbers, as data.kind csv.',
    )
  }
}

/** Takes the texts of a column, row by row. */
export class TextColumnBuilder {
  private readonly numbers = new Map<string, number>()
  private readonly counts: number[] = []
  private readonly places: number[] = []
  private readonly codes = new GrowingCodes()

  constructor(
    private readonly unit: TextColumn['unit'],
    private readonly room: RoomForTexts,
  ) {}

  /** @param row its number in the file, by which messages call it */
  add(text: string, row: number): void {
    let number = this.numbers.get(text)
    if (number === undefined) {
      this.room.take()
      number = this.numbers.size
      this.numbers.set(detached(text), number)
      this.counts.push(0)
      this.places.push(row)
    }
    this.counts[number]++
    this.codes.push(number)
  }

  /** The column; the builder has given all away then. */
  column(name: string): TextColumn {
    const { counts, places, unit } = this
    return { name, texts: [...this.numbers.keys()], counts, codes: this.codes.takeAll(), places, unit }
  }
}
