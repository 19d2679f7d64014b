/** What is written to a file; apart from what writes it, so that public types need none of Node's. */

/** Bytes or text, or several of them in turn. */
export type Content = Uint8Array | string | Iterable<Uint8Array | string>

/** The same, where what comes next may have to be waited for. */
export type ContentInTime = Content | AsyncIterable<Uint8Array | string>
