/** Words as a shell reads them. */

/** A word that a shell takes for one, whatever stands in it. */
export const quoted = (word: string): string =>
  /^[\w./:=,+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** A word as cmd and PowerShell both read it: in double quotes. Backslashes stand for themselves, but before a quote, where two stand for one. */
const quotedOnWindows = (word: string): string =>
  /^[\w./:=+@\\-]+$/.test(word)
    ? word
    : `"${word.replace(/(\\*)("|$)/g, (_, slashes, end) => slashes + slashes + (end && '\\"'))}"`

/** Words as a person types them into the shell of the system. @param platform default: this one */
export const shellLine = (words: readonly string[], platform: string = process.platform): string =>
  words.map(platform === 'win32' ? quotedOnWindows : quoted).join(' ')
