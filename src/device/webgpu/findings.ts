/**
 * What was found out about an adapter and is worth knowing the next time: programs that passed with all of Dawn's checks
 * (proof.ts) and the fastest variants (tuner.ts). Keys contain hashes of the shaders' texts, so that what is kept says
 * nothing of shaders that have changed since. Node keeps findings in a file (cache-file.ts); without one they last as long
 * as the device.
 */

/** passed: programs; tuned: variants */
export type FindingKind = 'passed' | 'tuned'

export interface Findings {
  get(kind: FindingKind, key: string): string | undefined
  set(kind: FindingKind, entries: Readonly<Record<string, string>>): void
}

export function forgetful(): Findings {
  const known = new Map<string, string>()
  return {
    get: (kind, key) => known.get(`${kind} ${key}`),
    set: (kind, entries) => {
      for (const [key, value] of Object.entries(entries)) known.set(`${kind} ${key}`, value)
    },
  }
}

/** The same findings, of which none is taken: what is found out replaces what was known. */
export const foundAnew = (findings: Findings, kind: FindingKind): Findings => ({
  get: (asked, key) => (asked === kind ? undefined : findings.get(asked, key)),
  set: (asked, entries) => findings.set(asked, entries),
})

/** A short name for a text, different for different texts. */
export async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(digest, 0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
