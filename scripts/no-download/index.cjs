/**
 * In place of the package global-agent, which is loaded by the install script of onnxruntime-node and by nothing else: it ends
 * that script before it downloads GPU libraries of some 500 MB, which the tests and benchmarks have no use for. npm 11 runs no
 * script that package.json does not allow, so this is for npm 10; a key in .npmrc would do the same, but npm 11 warns of it at
 * every call.
 */
exports.bootstrap = () => process.exit(0)
