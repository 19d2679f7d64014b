/** The key `model.classes`, which every kind of network has. */

import { flag } from '../schema/words.js'

export const classesKey = () =>
  flag('Learn the rows of each class apart, by the classes that the data have (docs/conditional.md).').default(false)
