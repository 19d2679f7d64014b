/** The recipes there are: a new one is a file beside this and a row here. */

import type { z } from 'zod'
import { localFlow } from './local-flow.js'
import { plain } from './plain.js'
import type { NamedRecipe } from './recipe.js'
import { reflow } from './reflow.js'
import { shared } from './shared.js'

export const recipes = { local: localFlow, shared, plain, reflow } as const satisfies Record<string, NamedRecipe>

type Recipes = typeof recipes
type Sections = {
  [name in keyof Recipes as Recipes[name] extends { section: z.ZodType } ? name : never]: Recipes[name]['section']
}

/** Schemas of the sections that recipes have of their own, by name. */
export const recipeSections = Object.fromEntries(
  Object.entries<NamedRecipe>(recipes).flatMap(([name, { section }]) => (section ? [[name, section]] : [])),
) as Sections

/** Those sections with nothing left to be decided. */
export type OwnSections = { readonly [name in keyof Sections]: z.output<Sections[name]> }

export type RecipeName = keyof typeof recipes
export const recipeNames = Object.keys(recipes) as [RecipeName, ...RecipeName[]]
