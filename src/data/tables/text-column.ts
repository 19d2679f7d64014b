/**
 * A column of a file as it is written: each distinct text once, and which of them stands in each row. What kind of column it is
 * is told from the texts (kinds.ts), so a million rows of ten words are looked at ten times.
 */

/** Texts of a column, by rows. */
export interface TextColumn {
  readonly name: string
  /** distinct texts, in the order of their first row */
  readonly texts: readonly string[]
  /** rows that hold each text */
  readonly counts: ArrayLike<number>
  /** [rows], indices into `texts` */
  readonly codes: Int32Array
  /** where each text first stands, as a file's reader names it: line 7 */
  readonly places: readonly string[]
}

/** A list of whole numbers that grows. */
export class GrowingCodes {
  private values = new Int32Array(1 << 10)
  length = 0

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Int32Array(2 * this.length)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.length++] = value
  }

  get whole(): Int32Array {
    return this.values.slice(0, this.length)
  }
}

/** A list of numbers that grows. */
export class GrowingValues {
  private values = new Float64Array(1 << 10)
  length = 0

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(2 * this.length)
      larger.set(this.values)
      this.values = larger
    }
    this.values[this.length++] = value
  }

  get whole(): Float64Array {
    return this.values.slice(0, this.length)
  }
}

/** Takes the texts of a column, row by row. */
export class TextColumnBuilder {
  private readonly numbers = new Map<string, number>()
  private readonly counts: number[] = []
  private readonly places: string[] = []
  private readonly codes = new GrowingCodes()

  /** @param place what the row is called in messages; asked for where the text is a new one */
  add(text: string, place: () => string): void {
    let number = this.numbers.get(text)
    if (number === undefined) {
      number = this.numbers.size
      this.numbers.set(text, number)
      this.counts.push(0)
      this.places.push(place())
    }
    this.counts[number]++
    this.codes.push(number)
  }

  column(name: string): TextColumn {
    const { counts, places } = this
    return { name, texts: [...this.numbers.keys()], counts, codes: this.codes.whole, places }
  }
}
