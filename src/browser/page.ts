/** What a page has that Node's types do not know. */

interface Page {
  readonly navigator?: { readonly gpu?: GPU }
  readonly localStorage?: { getItem(key: string): string | null; setItem(key: string, value: string): void }
  readonly location?: { readonly href: string }
}

export const page = globalThis as unknown as Page

/** A file as an input or a drop gives it; of a chosen folder its path begins with the folder's name. */
export interface ChosenFile extends Blob {
  readonly name: string
  readonly webkitRelativePath?: string
}
