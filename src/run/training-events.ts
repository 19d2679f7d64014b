/** The losses of a training as scalars for TensorBoard, while it goes on: a point every `train.logEvery` steps. */

import { makeFolder } from '../files/folders.js'
import { cannotWrite } from '../files/reasons.js'
import { EventFile } from '../files/tensorboard.js'
import { rateAt } from '../learn/optimizer.js'
import type { PlannedFit } from '../recipes/recipe.js'

/** Writes them into a folder, made where it is not there; each session has a file of its own, which TensorBoard puts together. */
export class TrainingEvents {
  private readonly file: EventFile
  private sum = 0
  private count = 0

  constructor(
    folder: string,
    private readonly fits: readonly PlannedFit[],
    private readonly every: number,
  ) {
    try {
      makeFolder(folder)
    } catch (error) {
      throw cannotWrite(folder, error)
    }
    this.file = new EventFile(folder)
  }

  /** Losses of the steps after `first` of a sub-flow, numbered from 1. */
  losses(subFlow: number, first: number, losses: Float32Array): void {
    const { settings } = this.fits[subFlow - 1]
    losses.forEach((loss, i) => {
      const step = first + i + 1
      this.sum += loss
      this.count++
      if (step % this.every !== 0 && step !== settings.steps) return
      this.file.write(step, [
        { tag: `loss/${settings.name}`, value: this.sum / this.count },
        { tag: `learning rate/${settings.name}`, value: rateAt(step - 1, settings.steps, settings.optimizer) },
      ])
      this.sum = 0
      this.count = 0
    })
  }

  validation(subFlow: number, step: number, loss: number): void {
    this.file.write(step, [{ tag: `validation loss/${this.fits[subFlow - 1].settings.name}`, value: loss }])
  }
}
