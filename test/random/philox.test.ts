import { describe, expect, it } from 'vitest'
import { mulHigh, philox4x32 } from '../../src/random/philox.js'

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ')

describe('Philox4x32-10', () => {
  // The known-answer vectors that come with Random123 (kat_vectors, philox 4x32 10).
  it('gives the published answers', () => {
    expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8')
    const ones = 0xffffffff
    expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd')
    expect(hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]))).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    )
  })

  it('multiplies 32 by 32 bits as 64-bit integers do', () => {
    const words = [0, 1, 2, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0xd2511f53, 0xcd9e8d57]
    for (const a of words) {
      for (const b of words) {
        expect(mulHigh(a, b), `${a} × ${b}`).toBe(Number((BigInt(a) * BigInt(b)) >> 32n))
      }
    }
  })
})
