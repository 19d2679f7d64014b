/**
 * What students have to reach (issue «Distillation»): the excess of the best kind against its teacher's with many evaluations, and
 * against the teacher itself with as few. Copies that were not distilled are judged too, and have to fail.
 */

export interface Found {
  readonly set: string
  readonly seed: number
  /** what was distilled: 'chain', 'single flow' */
  readonly teacher: string
  /** the kind of student, or what else was measured */
  readonly way: string
  readonly evaluations: number
  /** sliced W2 above the floor */
  readonly excess: number
  /** of the processor, to train or to distil; null where it is that of another row */
  readonly seconds: number | null
}

/** The teacher's evaluations for its own samples. */
export const WHOLE = 128
export const TEACHER = 'teacher'
export const NOT_DISTILLED = ', not distilled'
export const STUDENTS = ['terminal', 'pairs', 'any-step'] as const

/** Excess over the teacher's with many evaluations, at most, and how many times the teacher's with as few, at least. */
const BARS: Readonly<Record<number, { readonly whole: number; readonly few: number | null }>> = {
  1: { whole: 3, few: 2 },
  2: { whole: 1.5, few: 2 },
  4: { whole: 1.2, few: null },
}

export interface Judged {
  readonly teacher: string
  readonly evaluations: number
  /** the kind with the least mean excess */
  readonly kind: string
  /** its excess over that of the teacher with many evaluations */
  readonly ofWhole: number
  readonly reachesWhole: boolean
  /** the teacher's with as few over its own; null where the teacher cannot take so few, or nothing is asked */
  readonly ahead: number | null
  readonly reachesFew: boolean | null
  /** the best copy that was not distilled, over the teacher with many; whether it fails the same bar */
  readonly control: number
  readonly controlFails: boolean
}

const mean = (rows: readonly Found[]): number => rows.reduce((sum, { excess }) => sum + excess / rows.length, 0)

/** Judges the students of one set, by means over seeds; excesses below nothing count as a ten-thousandth. */
export function judge(found: readonly Found[]): Judged[] {
  const excess = (teacher: string, way: string, evaluations: number): number | null => {
    const rows = found.filter((row) => row.teacher === teacher && row.way === way && row.evaluations === evaluations)
    return rows.length > 0 ? Math.max(1e-4, mean(rows)) : null
  }
  const teachers = [...new Set(found.map(({ teacher }) => teacher))]
  return teachers.flatMap((teacher) => {
    const whole = excess(teacher, TEACHER, WHOLE)
    if (whole === null) return []
    return Object.entries(BARS).flatMap(([text, bar]): Judged[] => {
      const evaluations = Number(text)
      const best = (suffix: string): { kind: string; excess: number } | undefined =>
        STUDENTS.flatMap((kind) => {
          const value = excess(teacher, kind + suffix, evaluations)
          return value === null ? [] : [{ kind, excess: value }]
        }).sort((a, b) => a.excess - b.excess)[0]
      const [student, control] = [best(''), best(NOT_DISTILLED)]
      if (!student || !control) return []
      const few = excess(teacher, TEACHER, evaluations)
      const ahead = few === null || bar.few === null ? null : few / student.excess
      return [
        {
          teacher,
          evaluations,
          kind: student.kind,
          ofWhole: student.excess / whole,
          reachesWhole: student.excess <= bar.whole * whole,
          ahead,
          reachesFew: ahead === null ? null : ahead >= bar.few!,
          control: control.excess / whole,
          controlFails: control.excess > bar.whole * whole,
        },
      ]
    })
  })
}

/** The judgement as Markdown. */
export function bars(found: readonly Found[]): string {
  const word = (reached: boolean): string => (reached ? 'reached' : 'missed')
  const head = ['teacher', 'evaluations', 'best kind', `× teacher at ${WHOLE}`, 'teacher at as many ×', 'not distilled']
  const rows = judge(found).map((one) => [
    one.teacher,
    String(one.evaluations),
    one.kind,
    `${one.ofWhole.toFixed(2)} of ≤ ${BARS[one.evaluations].whole}: ${word(one.reachesWhole)}`,
    one.ahead === null ? '–' : `${one.ahead.toFixed(1)} of ≥ ${BARS[one.evaluations].few}: ${word(one.reachesFew!)}`,
    `${one.control.toFixed(1)}: ${one.controlFails ? 'fails, as it must' : 'DOES NOT FAIL'}`,
  ])
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
