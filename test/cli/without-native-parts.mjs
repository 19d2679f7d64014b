/** Loaded before the command line by missing-parts.test.ts: packages named in LFM_TEST_MISSING are not there. */
import { register } from 'node:module'

const hooks = `
const missing = ${JSON.stringify((process.env.LFM_TEST_MISSING ?? '').split(','))}
export async function resolve(name, context, next) {
  if (!missing.includes(name)) return next(name, context)
  throw Object.assign(new Error('Could not load the module for this platform\\n  at somewhere'), { code: 'ERR_MODULE_NOT_FOUND' })
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
