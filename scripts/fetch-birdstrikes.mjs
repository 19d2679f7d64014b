/**
 * Fetches the table of examples/birdstrikes.yaml: `node scripts/fetch-birdstrikes.mjs [FOLDER]`, by default data/ (vega-datasets.mjs).
 * It holds 10 000 strikes of birds on aircraft that were reported to the FAA, a work of the United States' government, and is not part
 * of this project.
 */

import { fetchTable } from './vega-datasets.mjs'

fetchTable('birdstrikes.csv', 'birdstrikes.yaml', process.argv[2])
