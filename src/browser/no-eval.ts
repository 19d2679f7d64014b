/**
 * Schemas are read step by step here: Zod would compile them by `new Function` where it may, and a page whose policy forbids
 * that would find a violation in its console for having been asked. This comes before any schema is made.
 */

import { config } from 'zod'

config({ jitless: true })
