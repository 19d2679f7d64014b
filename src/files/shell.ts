/** Words as a shell reads them. */

/** A word that a shell takes for one, whatever stands in it. */
export const quoted = (word: string): string =>
  /^[\w./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
