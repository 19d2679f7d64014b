/**
 * Benny runs and reports the rounds. A benny case is one *group*: the runners that are compared with one another. Benny
 * repeats its rounds and says when a case or a suite is done. The times themselves are taken inside a round (measure.ts), since
 * benny's own would include what a call costs once.
 */

import benny from 'benny'

export interface Group {
  readonly name: string
  setUp(): Promise<void>
  round(): Promise<void>
  /** called when the last round is over */
  report(): void
  tearDown(): Promise<void>
}

/** Runs every group for `rounds` rounds, one group after the other. */
export async function runRounds(title: string, groups: readonly Group[], rounds: number): Promise<void> {
  // benny calls every case twice before the suite begins, to find out whether it returns a promise; nothing must run then
  let begun = false
  let open: Group | undefined
  let failure: { readonly error: unknown } | undefined

  const step = async (group: Group): Promise<void> => {
    if (open !== group) {
      await open?.tearDown()
      open = group
      await group.setUp()
    }
    await group.round()
  }
  const byName = new Map(groups.map((group) => [group.name, group]))
  await benny.suite(
    title,
    ...groups.map((group) =>
      benny.add(
        group.name,
        async () => {
          if (!begun || failure) return
          // benny would lose an exception: it is kept, and ends the run below
          await step(group).catch((error: unknown) => {
            failure = { error }
          })
        },
        // exactly `rounds` samples, each of one call
        { minSamples: rounds, maxTime: 0, minTime: 1e-6, initCount: 1, delay: 0 },
      ),
    ),
    async () => (suite) => {
      begun = true
      return suite
    },
    benny.cycle(({ name }) => {
      if (!failure) byName.get(name)?.report()
    }),
  )
  await open?.tearDown()
  if (failure) throw failure.error
}
