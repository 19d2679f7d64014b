/** What is used of yaml. In dist/ this file holds that itself (scripts/build-ts.mjs): 230 files become one. */
export { Lexer, parse, parseDocument, stringify } from 'yaml'
