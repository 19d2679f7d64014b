/**
 * Work of which only the latest request counts: one goes on at a time, and of those that come meanwhile the last is done next.
 */
export function latest<T>(work: (value: T) => Promise<void>, failed: (error: unknown) => void): (value: T) => void {
  let waiting: { readonly value: T } | null = null
  let busy = false
  return (value) => {
    waiting = { value }
    if (busy) return
    busy = true
    void (async () => {
      while (waiting) {
        const next = waiting
        waiting = null
        await work(next.value).catch(failed)
      }
      busy = false
    })()
  }
}
