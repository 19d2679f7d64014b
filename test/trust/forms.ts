/** Short forms of the suites run with all tests, long ones by `npm run trust -- --long`. */

export const long = process.env.LFM_TRUST === 'long'

/** How often something is tried. */
export const tries = (short: number, whole: number): number => (long ? Number(process.env.LFM_TRIES ?? whole) : short)

/** Time for a test that tries so often, in milliseconds. */
export const patience = (ms: number): number => (long ? 100 * ms : ms)
