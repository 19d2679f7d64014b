/** The recipes there are: a new one is a file beside this and a row here. */

import { localFlow } from './local-flow.js'
import { plain } from './plain.js'
import type { Recipe } from './recipe.js'
import { reflow } from './reflow.js'

export const recipes = { local: localFlow, plain, reflow } as const satisfies Record<string, Recipe>

export type RecipeName = keyof typeof recipes
export const recipeNames = Object.keys(recipes) as [RecipeName, ...RecipeName[]]
