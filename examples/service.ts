/**
 * A small HTTP service that samples: one model on one device, many requests. What is asked for while the device is busy is
 * sampled together in the next call, since a device is quicker with many rows at a time.
 *
 *     npx tsx service.ts runs/rose &
 *     curl 'http://localhost:8080/samples?n=5'
 *
 * Without a run folder it trains one for a moment (STEPS). SIGTERM ends it when all that was asked for is answered.
 */

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { data, LocalFlow } from 'local-flow-matching'

const MOST_ROWS = 100_000
const steps = Number(process.env.STEPS ?? 500)
const flow = process.argv[2] ? await LocalFlow.load(process.argv[2]) : await trained()

interface Request {
  n: number
  answer: (rows: number[][]) => void
  fail: (error: unknown) => void
}
let waiting: Request[] = []
let busy: Promise<void> | null = null
let seed = 0

/** Rows for a request: those of its place in the next call. */
function sample(n: number): Promise<number[][]> {
  return new Promise((answer, fail) => {
    waiting.push({ n, answer, fail })
    busy ??= serve().finally(() => {
      busy = null
    })
  })
}

async function serve(): Promise<void> {
  while (waiting.length > 0) {
    const together = waiting
    waiting = []
    try {
      const all = together.reduce((sum, { n }) => sum + n, 0)
      const { values, shape } = await flow.sample(all, { seed: seed++ }) // another seed for each call: no rows twice
      const width = values.length / shape[0]
      let row = 0
      for (const { n, answer } of together) {
        answer(Array.from({ length: n }, () => [...values.subarray(row * width, ++row * width)]))
      }
      console.log(`one call of ${all} rows for ${together.length} requests`)
    } catch (error) {
      for (const { fail } of together) fail(error)
    }
  }
}

const say = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname !== '/samples') return say(response, 404, { error: 'there is /samples?n=10' })
  const n = Number(searchParams.get('n') ?? 1)
  if (!Number.isInteger(n) || n < 1 || n > MOST_ROWS) {
    return say(response, 400, { error: `n must be a whole number from 1 to ${MOST_ROWS}` })
  }
  try {
    say(response, 200, { samples: await sample(n) })
  } catch (error) {
    say(response, 500, { error: (error as Error).message })
  }
})
server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(
    `http://localhost:${(server.address() as AddressInfo).port}/samples?n=5 on ${flow.deviceInfo?.name ?? 'a device to be opened'}`,
  )
})

process.once('SIGTERM', () => {
  // no new connections; those that are open are answered first
  server.close(async () => {
    await busy
    await flow.dispose()
  })
  server.closeIdleConnections()
})

async function trained(): Promise<LocalFlow> {
  const rows = { values: data.toy('moons').sample(2000, 1), shape: [2000, 2] }
  return LocalFlow.train(rows, { model: { hidden: [32] }, flow: { gammas: [0.2, null] }, train: { batch: 200, steps } })
}
