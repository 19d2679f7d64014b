/**
 * Fetches the table of examples/flights.yaml: `node scripts/fetch-flights.mjs [FOLDER]`, by default data/ (vega-datasets.mjs). It holds
 * 3 000 000 flights of the first half of 2001 from the Bureau of Transportation Statistics, a work of the United States' government,
 * and is not part of this project.
 */

import { fetchTable } from './vega-datasets.mjs'

fetchTable('flights-3m.parquet', 'flights.yaml', process.argv[2])
