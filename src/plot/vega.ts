/** What is used of Vega. In dist/ this file holds Vega itself (scripts/build-ts.mjs), which comes as 60 packages and 17 programs. */
export { parse, View, Warn } from 'vega'
