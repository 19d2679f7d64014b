/**
 * The commands of `lfm`. Each command is a file beside this one and is loaded when it is asked for. Errors of the library
 * print their message alone; anything else is a defect and prints its stack.
 */

import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError as InvalidOption, Option } from 'commander'
import { blockFormats } from '../data/block-formats.js'
import { deviceKinds } from '../device/node/select.js'
import { LocalFlowError } from '../errors.js'
import { exportForms, forms } from '../export/registry.js'
import { isOfSystem, isOutOfMemory, systemMessage } from '../files/reasons.js'
import { resizeNames } from '../metrics/resize.js'
import { clocks } from '../ode/clock.js'
import { solverNames } from '../ode/methods.js'
import { distillKindNames } from '../recipes/pieces.js'
import { jobNumber } from '../run/cluster/number.js'
import { Interrupted } from './interrupt.js'
import { note, outliveOutputs, printJson } from './terminal.js'
import { UsageError } from './usage.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidOption(`It must be a whole number from ${least} on.`)
    return value
  }
/** '2' or '1,3' → numbers from 0 on; the model says which it can take */
const weights = (text: string): number[] =>
  text.split(',').map((part) => {
    const value = Number(part)
    if (part.trim() === '' || Number.isNaN(value)) throw new InvalidOption('It must be a number, or some with commas.')
    return value
  })
const cond = (): Option =>
  new Option('--cond <file>', 'what a conditional model is told: a table or .npy, a row for each row, or one for all')
const label = (): Option =>
  new Option('--class <number>', 'the class of all rows, of a model of classes').argParser(wholeNumber(0))
const guidance = (of = ''): Option =>
  new Option(
    '--guidance <weights>',
    `${of}weight of classifier-free guidance, or one for each sub-flow: 1 is none`,
  ).argParser(weights)
const numbers =
  (least: number) =>
  (text: string): number[] =>
    text.split(',').map(wholeNumber(least))
/** '2/5' → [2, 5]; 'env/5' → what the cluster says */
function jobOf(text: string): [number, number] {
  const [, job, jobs] = /^(\d+|env)\/(\d+)$/.exec(text) ?? []
  const of = Number(jobs)
  const number = job === 'env' && of > 0 ? jobNumber(process.env, of) + 1 : Number(job)
  if (!(number >= 1 && number <= of)) {
    throw new InvalidOption('It must be I/N with I from 1 to N, such as 2/5, or env/N in a job of a cluster.')
  }
  return [number, of]
}
const collect = (value: string, previous: string[]): string[] => [...previous, value]
const device = (): Option =>
  new Option('--device <kind>', 'device to run on (default: the config’s)').choices(deviceKinds)
const fast = (): Option =>
  new Option('--fast', 'WebGPU without Dawn’s checks, once the same program has passed with them on this adapter')
const profile = (what: string): Option =>
  new Option('--profile', `print where the time of ${what} goes, kernel by kernel`)
const solver = (what: string): Option =>
  new Option('--solver <name>', `solver of ${what} (default: the config’s)`).choices(solverNames)
const steps = (): Option =>
  new Option('--steps <counts>', 'steps through each sub-flow: a number, or one for each, as in 1,2,5').argParser(
    (text) => {
      const counts = text.split(',').map(wholeNumber(1))
      return counts.length === 1 ? counts[0] : counts
    },
  )
const evaluations = (): Option =>
  new Option('--evaluations <count>', 'evaluations of the network in all sub-flows together, at most').argParser(
    wholeNumber(1),
  )
const clock = (): Option =>
  new Option('--clock <name>', 'what steps are even in: local time, or the chain’s angle').choices(clocks)
/** Options of what is done here, by this process. */
const doneHere = ['job', 'gather', 'estimate', 'subFlow', 'join', 'resume', 'force']
const slurm = (jobs: string): Option =>
  new Option(
    '--slurm',
    `do it by jobs of a Slurm array, ${jobs}; those that are done are left out (docs/scale.md)`,
  ).conflicts(doneHere)
const plan = (): Option =>
  new Option('--plan', 'only write the plan of such jobs, for another cluster, which calls lfm job').conflicts([
    'slurm',
    ...doneHere,
  ])
const slots = (): Option =>
  new Option('--slots <count>', 'jobs of the array at the same time, at most').argParser(wholeNumber(1))
const sbatch = (): Option =>
  new Option('--sbatch <option>', 'an option of sbatch, such as --sbatch=--partition=gpu; may be repeated').argParser(
    (value, previous: string[] = []) => [...previous, value],
  )
const dryRunOfScript = (): Option =>
  new Option('--dry-run', 'with --slurm: print the batch script; nothing is written or submitted')
const json = (): Option => new Option('--json', 'print one JSON object as the last line of stdout, of an error too')

const program = new Command('lfm')
  .description('Train, sample and score Local Flow Matching models.')
  .version(version)
  .showHelpAfterError('(lfm --help lists the commands)')
  .exitOverride()

program
  .command('train')
  .description('train the flow that a config describes, into a run folder')
  .argument('<config>', 'YAML file')
  .option('--out <run>', 'run folder; needed but for --dry-run')
  .option(
    '--dry-run',
    'only print parameters, flops of a step and peak memory; the data need not be there; with --slurm the batch script',
  )
  .addOption(device())
  .addOption(fast())
  .option('--set <key=value>', 'override a key of the config, such as train.steps=100; may be repeated', collect, [])
  .option('--tensorboard <folder>', 'write losses and learning rates for TensorBoard there, while they come')
  .option('--resume', 'go on from the last checkpoint of the run folder')
  .option('--force', 'replace the run that the folder holds, once the new one has its first checkpoint')
  .addOption(
    new Option('--sub-flow <n>', 'train this sub-flow alone, into RUN/sub-flow-n; for flow.push: simulated').argParser(
      wholeNumber(1),
    ),
  )
  .addOption(
    new Option('--join', 'make the run of sub-flows that were each trained by --sub-flow').conflicts([
      'subFlow',
      'resume',
    ]),
  )
  .addOption(slurm('one for each sub-flow of a simulated push, else one'))
  .addOption(plan())
  .addOption(slots())
  .addOption(sbatch())
  .addOption(profile('a training step'))
  .addOption(json())
  .action(async (config, options, command: Command) => {
    if (options.dryRun && !options.slurm) return (await import('./dry-run.js')).dryRun(config, options)
    if (!options.out) command.error("error: required option '--out <run>' not specified")
    return (await import('./train.js')).train(config, options)
  })

program
  .command('columns')
  .description('what each column of a table is taken for and why, and how it will be encoded; nothing is trained')
  .argument(
    '<data>',
    'a table of text (.csv, .tsv, .csv.gz …; - is standard input), .parquet, or a YAML config of the kind table',
  )
  .addOption(json())
  .action(async (data, options) => (await import('./columns.js')).columns(data, options))

program
  .command('distill')
  .description('make students of a trained run, which take one evaluation each, into a run folder of their own')
  .argument('<run>', 'run folder of the teacher')
  .requiredOption('--into <count>', 'students: evaluations of a sample', wholeNumber(1))
  .addOption(
    new Option('--kind <kind>', 'what students are (docs/distillation.md)')
      .choices(distillKindNames)
      .makeOptionMandatory(),
  )
  .requiredOption('--out <run>', 'run folder of the students')
  .addOption(device())
  .addOption(fast())
  .option(
    '--set <key=value>',
    'set a key of the students’ config, such as train.steps=500; may be repeated',
    collect,
    [],
  )
  .option('--resume', 'go on from the last checkpoint of the run folder')
  .option('--force', 'replace the run that the folder holds, once the new one has its first checkpoint')
  .addOption(slurm('a single one'))
  .addOption(plan())
  .addOption(sbatch())
  .addOption(dryRunOfScript())
  .addOption(profile('a training step'))
  .addOption(json())
  .action(async (run, options) => (await import('./distill.js')).distill(run, options))

program
  .command('sample')
  .description('draw samples of a trained run')
  .argument('<run>', 'run folder')
  .requiredOption('-n <count>', 'number of samples', wholeNumber(1))
  .requiredOption(
    '-o, --output <file>',
    '.csv, .npy, .parquet or .png, a folder of parts, - for CSV on standard output; of pictures .npy, .png (a grid) or a folder of PNG files; of a table of mixed columns .csv, .parquet or a folder of parts',
  )
  .option('--seed <number>', 'seed (default: the config’s)', wholeNumber(0))
  .option(
    '--first <number>',
    'number of the first sample, to draw a range of one sequence (default: 0)',
    wholeNumber(0),
  )
  .option('--resume', 'go on with what a call that was ended left of the output: the same options, the same bytes')
  .option(
    '--part-rows <count>',
    'samples of a part of a folder, or of a row group of a Parquet file (default: 131072, or 2^22 values where these are fewer)',
    wholeNumber(1),
  )
  .addOption(new Option('--format <name>', 'format of the parts of a folder (default: parquet)').choices(blockFormats))
  .addOption(cond())
  .addOption(label())
  .addOption(guidance())
  .addOption(solver('the samples'))
  .addOption(steps())
  .addOption(evaluations())
  .addOption(clock())
  .addOption(device())
  .addOption(fast())
  .addOption(slurm('ranges of the samples, each into a folder of its own in the output, which lfm join puts together'))
  .addOption(plan())
  .option('--ranges <count>', 'with --slurm or --plan: how many', wholeNumber(1))
  .addOption(slots())
  .addOption(sbatch())
  .addOption(dryRunOfScript())
  .addOption(profile('a block of samples'))
  .addOption(json())
  .action(async (run, options) => (await import('./sample.js')).sample(run, options))

program
  .command('impute')
  .description('fill the holes of a table with values drawn given those that are there')
  .argument('<run>', 'run folder of a model that was trained on a table with train.masks: true')
  .argument(
    '<file>',
    'a table of text (.csv, .tsv, .csv.gz …; - is standard input) or .parquet; columns that it lacks are holes in every row',
  )
  .requiredOption('-o, --output <file>', '.csv or .parquet, - for CSV on standard output')
  .option(
    '-n, --draws <count>',
    'how many times all holes are filled, in rows of their own, for intervals',
    wholeNumber(1),
    1,
  )
  .option('--seed <number>', 'seed (default: the config’s)', wholeNumber(0))
  .addOption(solver('the values'))
  .addOption(steps())
  .addOption(evaluations())
  .addOption(clock())
  .addOption(device())
  .addOption(fast())
  .addOption(json())
  .action(async (run, file, options) => (await import('./impute.js')).impute(run, file, options))

program
  .command('join')
  .description('make one file of folders of samples that were drawn apart, by ranges of --first and -n')
  .argument('<run>', 'run folder that all of them were drawn of')
  .argument(
    '<folders...>',
    'folders of parts, in any order: their ranges have to follow each other without gap or overlap',
  )
  .requiredOption('-o, --output <file>', '.csv, .npy or .parquet, of a table of mixed columns .csv or .parquet')
  .option('--resume', 'go on with what a call that was ended left of the output')
  .option(
    '--part-rows <count>',
    'samples of a row group of a Parquet file (default: 131072, or 2^22 values where these are fewer)',
    wholeNumber(1),
  )
  .addOption(json())
  .action(async (run, folders, options) => (await import('./join.js')).join(run, folders, options))

program
  .command('score')
  .description('log-likelihood of each row of a file, in nats')
  .argument('<run>', 'run folder')
  .argument(
    '<data>',
    'a table of text (.csv, .tsv, .csv.gz …; - is standard input), .npy, .parquet, or a folder of pictures',
  )
  .option('-o, --output <file>', 'write the scores here, .csv, .npy or .parquet, - for standard output')
  .option(
    '--part-rows <count>',
    'rows that are read and scored at once (default: 131072, or 2^22 values where these are fewer)',
    wholeNumber(1),
  )
  .option('--resume', 'go on with what a call that was ended left of the scores: the same options, the same bytes')
  .addOption(cond())
  .addOption(label())
  .addOption(guidance())
  .addOption(solver('the likelihood'))
  .addOption(steps())
  .addOption(evaluations())
  .addOption(clock())
  .addOption(device())
  .addOption(fast())
  .addOption(json())
  .action(async (run, data, options) => (await import('./score.js')).score(run, data, options))

program
  .command('evaluate')
  .description(
    'likelihood of the test part, added to the report, or of the validation part; of pictures FID, precision and recall',
  )
  .argument('<run>', 'run folder')
  .addOption(
    new Option('--part <part>', 'the rows; a likelihood of the validation part is printed only, train is for FID')
      .choices(['test', 'validation', 'train'])
      .default('test'),
  )
  .option(
    '--samples <count>',
    'samples to draw, 0 for none (default: 5000 pictures, 10000 points, of a table as many as the part has rows)',
    wholeNumber(0),
  )
  .option(
    '--target <column>',
    'of a run on a table: what learns from samples predicts this column of the part; may be repeated',
    collect,
    [],
  )
  .option('--features <name>', 'of a run on pictures: digits, or an ONNX file (default: digits for grey squares)')
  .addOption(
    new Option(
      '--resize <way>',
      "how pictures are resized for an ONNX file: clean-fid's mode (default: clean)",
    ).choices(resizeNames),
  )
  .addOption(solver('the likelihood; of a run on pictures, of the samples'))
  .addOption(steps())
  .addOption(evaluations())
  .addOption(clock())
  .addOption(guidance('of samples of a run on pictures: '))
  .option('--likelihood <count>', 'of a run on pictures: how many pictures to score (default: 0)', wholeNumber(1))
  .addOption(device())
  .addOption(fast())
  .addOption(json())
  .action(async (run, options) => (await import('./evaluate.js')).evaluate(run, options))

program
  .command('compare')
  .description(
    'train methods on the same data, measure them, and write a table and a page that hold them against each other',
  )
  .argument('<configs...>', 'one file that lists methods, or configs of the same data')
  .requiredOption(
    '--out <folder>',
    'a folder for the runs and the tables; what it already has is kept and not made again',
  )
  .option('--seeds <list>', 'seeds, as in 1,2,3 (default: the file’s)', numbers(0))
  .option('--evaluations <list>', 'function evaluations of a sample, as in 4,8,16 (default: the file’s)', numbers(1))
  .option('--samples <count>', 'samples of a measurement (default: the file’s)', wholeNumber(1))
  .option(
    '--likelihood <count>',
    'test rows whose likelihood is taken, 0 for none (default: the file’s)',
    wholeNumber(0),
  )
  .option('--aa <method>', 'train this method a second time, under other seeds (default: the file’s)')
  .option(
    '--job <I/N>',
    'make only every N-th row, from the I-th on; env/N: as SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX says',
    jobOf,
  )
  .option('--gather', 'make no row; write the tables of those that are there, and say what became of the others')
  .option(
    '--estimate <slots>',
    'make no row; say how long all jobs would take on so many slots, as in 2,8, from the rows that are there',
    numbers(1),
  )
  .option('--limit <minutes>', 'with --estimate: time limit of a job (default: none)', wholeNumber(1))
  .option('--lost-every <hours>', 'with --estimate: between two losses of a node (default: none)', wholeNumber(1))
  .addOption(slurm('a row each'))
  .addOption(plan())
  .addOption(slots())
  .addOption(sbatch())
  .addOption(dryRunOfScript())
  .addOption(device())
  .addOption(fast())
  .addOption(json())
  .action(async (configs, options) => (await import('./compare.js')).compare(configs, options))

program
  .command('job')
  .description('do one job of a plan that --slurm wrote, as a cluster calls it')
  .argument('<plan>', 'jobs/plan.json of a folder of results')
  .option('--index <number>', 'which, from 0 on (default: SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX)', wholeNumber(0))
  .action(async (plan, options) =>
    (await import('./job.js')).job(plan, options, async (words) => {
      await program.parseAsync([...words], { from: 'user' })
    }),
  )

program
  .command('export')
  .description('write a finished run as files for use elsewhere, into a new folder')
  .argument('<run>', 'run folder')
  .addOption(
    new Option('--to <form>', exportForms.map((form) => `${form}: ${forms[form].summary}`).join('; '))
      .choices(exportForms)
      .makeOptionMandatory(),
  )
  .requiredOption('--out <folder>', 'a folder that is not there yet')
  .addOption(solver('the sampler'))
  .addOption(steps())
  .addOption(evaluations())
  .addOption(clock())
  .addOption(guidance())
  .option('--licence <words>', 'licence of the model, which the files then name: an SPDX identifier, or words')
  .addOption(json())
  .action(async (run, options) => (await import('./export.js')).exportRun(run, options))

program
  .command('import')
  .description('make a finished run of networks that PyTorch trained, or of a folder that was exported')
  .argument(
    '<weights...>',
    'safetensors, one file for each sub-flow from the data to the noise; or one exported folder',
  )
  .option('--config <file>', 'YAML file of the model that the weights are of')
  .requiredOption('--out <run>', 'run folder')
  .option('--force', 'replace the run that the folder holds')
  .addOption(json())
  .action(async (weights, options) => (await import('./import.js')).importRun(weights, options))

program
  .command('devices')
  .description('adapters, the CPU target, what they support, and what auto would choose')
  .addOption(json())
  .action(async (options) => (await import('./devices.js')).devices(options))

/** Exit codes: 2 where the command line itself is wrong, 1 for all else that fails. */
const [FAILED, MISUSED] = [1, 2]

/** Runs the command that the process was started with; sets its exit code. */
export async function run(): Promise<void> {
  outliveOutputs()
  try {
    await program.parseAsync()
  } catch (error) {
    if (!isExpected(error)) throw error
    // commander has printed what it has to say; --help and --version end so, with 0
    const printed = error instanceof CommanderError
    const code = exitCodeOf(error)
    const message = isOfSystem(error) || isOutOfMemory(error) ? systemMessage(error) : error.message
    if (!printed) note(error instanceof Interrupted ? message : `lfm: ${message}`)
    if (code !== 0 && process.argv.includes('--json'))
      printJson({ error: { name: printed ? 'UsageError' : error.name, message, exitCode: code } })
    process.exitCode = code
  }
}

/** Whether an error is one that commands end with; anything else is a defect. */
const isExpected = (error: unknown): error is Error =>
  error instanceof CommanderError ||
  error instanceof Interrupted ||
  error instanceof LocalFlowError ||
  isOfSystem(error) ||
  isOutOfMemory(error)

function exitCodeOf(error: Error): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED
  if (error instanceof Interrupted) return error.exitCode
  return error instanceof UsageError ? MISUSED : FAILED
}
