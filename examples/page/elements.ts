/** The elements of index.html, by their ids. */

export function element<T extends Element>(id: string, kind: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}.`)
  return found
}

export const canvas = (id: string): HTMLCanvasElement => element(id, HTMLCanvasElement)
export const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement)
export const input = (id: string): HTMLInputElement => element(id, HTMLInputElement)

/** Writes a text; a screen reader is told where the element is a status. */
export const write = (id: string, text: string): void => {
  const found = element(id, HTMLElement)
  if (found.textContent !== text) found.textContent = text
}
