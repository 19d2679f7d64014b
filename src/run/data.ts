/** `data` of the public interface: what the room exports, and `loadData` with the defaults of a config. */

export * from '../data/index.js'
export { loadData } from './run-config.js'
