/** The progress of several calls that carry rows, as one count. */

/** Told how many rows are done, of how many. */
export type OnRows = (rows: number, of: number) => void

/**
 * @param of the rows of all calls
 * @returns takes the rows of the next call, and gives what that call reports to
 */
export function rowsTogether(
  of: number,
  onProgress: OnRows = () => undefined,
): (rows: number) => (done: number) => void {
  let before = 0
  return (rows) => {
    const at = before
    before += rows
    return (done) => onProgress(at + done, of)
  }
}
