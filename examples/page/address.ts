/** What of the page is in its address, after the #: seed=7&evaluations=16. Nothing of it is sent to anybody. */

import { evaluationChoices, FIRST_SEED } from './source.js'

export interface Address {
  readonly seed: number
  readonly evaluations: number
}

const DEFAULT_EVALUATIONS = 16

/** The numbers of an address; those that are missing or no such numbers are what they are at first. */
export function readAddress(hash: string): Address {
  const words = new URLSearchParams(hash.replace(/^#/, ''))
  const evaluations = Number(words.get('evaluations'))
  return {
    seed: seedOf(words.get('seed')) ?? FIRST_SEED,
    evaluations: (evaluationChoices as readonly number[]).includes(evaluations) ? evaluations : DEFAULT_EVALUATIONS,
  }
}

/** A seed as it is typed: a whole number from 0 to 2^53 − 1, or null. */
export function seedOf(text: string | null): number | null {
  const seed = Number(text)
  return text !== null && /^\d+$/.test(text.trim()) && Number.isSafeInteger(seed) ? seed : null
}

export const hashOf = ({ seed, evaluations }: Address): string => `#seed=${seed}&evaluations=${evaluations}`
