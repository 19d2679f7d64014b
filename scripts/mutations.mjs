/**
 * Small wrong changes of the numerics that some test should notice; scripts/mutate.mjs makes them one at a time. A group is a
 * file with the tests (under test/, without .test.ts) that look at it, the cheapest first; a mutation is what stands there
 * once, what takes its place, and what differs from the group: `tests`, `filter` (part of the names of tests), `also` (the same
 * change elsewhere: where an engine and its reference are wrong alike, no parity test can tell). Native groups name the
 * objects that are built again, where it is not the file itself; TARGET is the instruction set of the machine.
 */

const parity = (kernel) => ({ tests: ['parity/native-TARGET'], filter: ` ${kernel}: ` })
const composites = { tests: ['parity/composites-native'], filter: 'fused' }

const source = [
  {
    file: 'src/learn/optimizer.ts',
    tests: ['method/optimizer'],
    mutations: [
      ['(lr * (k + 1)) / warmup', '(lr * k) / warmup'],
      ['if (k < warmup)', 'if (k <= warmup)'],
      ['Math.max(1, steps - warmup)', 'Math.max(1, steps)'],
      ['(k - warmup) / schedule.every', 'k / schedule.every'],
      ['stepTable.correction2] = 1 / (1 - beta2 **', 'stepTable.correction2] = 1 / (1 - beta1 **'],
      ['stepTable.correction1] = 1 / (1 - beta1 ** (k + 1))', 'stepTable.correction1] = 1 / (1 - beta1 ** (k + 2))'],
      ['k < optimizer.warmup ? 0 : optimizer.ema', 'optimizer.ema'],
    ],
  },
  {
    file: 'src/learn/fit.ts',
    tests: ['method/optimizer', 'method/engines'],
    mutations: [
      ['optimizer.ema > 0 ? parameters.slice()', 'optimizer.ema > 0 ? new Float32Array(parameters.length)'],
      ['words[stateWords.step] = start.step', 'words[stateWords.step] = 0'],
      ['const [m, v] = [make(P, start.m), make(P, start.v)]', 'const [m, v] = [make(P, start.m), make(P, start.m)]'],
    ],
  },
  {
    file: 'src/learn/fit.ts',
    tests: ['method/recipes', 'method/pictures', 'method/engines'],
    filter: 'on native|^a config',
    mutations: [['validation?.best ?? average ?? parameters', 'validation?.best ?? parameters']],
  },
  {
    file: 'src/learn/step.ts',
    tests: ['method/optimizer', 'method/engines'],
    mutations: [
      ['beta2: optimizer.betas[1]', 'beta2: optimizer.betas[0]'],
      ["decoupled: optimizer.optimizer === 'adamw'", "decoupled: optimizer.optimizer === 'adam'"],
    ],
  },
  {
    file: 'src/learn/step-runs.ts',
    tests: ['method/step-runs'],
    mutations: [
      ['const start = first % LOSS_RING', 'const start = first'],
      ['LOSS_RING / RUNS_UNDER_WAY', 'LOSS_RING'],
    ],
  },
  {
    file: 'src/learn/closed-forms.ts',
    tests: ['method/interpolant'],
    mutations: [
      ['i % 2 === 1 ? 4 : 2', 'i % 2 === 1 ? 2 : 4'],
      ['(own * own + other * other) * variance', 'own * own * variance'],
      ['inner(target, interpolant) ** 2 / variance', 'inner(target, interpolant) / variance'],
      ['const weights = [S, S, 1]', 'const weights = [S, 1, 1]'],
    ],
  },
  {
    file: 'src/learn/noise.ts',
    tests: ['method/interpolant'],
    mutations: [['Math.expm1(-2 * gamma)', 'Math.expm1(-gamma)']],
  },
  {
    file: 'src/learn/paths/arc.ts',
    tests: ['method/interpolant'],
    mutations: [
      ['Math.atan2(spread, decay)', 'Math.atan2(decay, spread)'],
      ['leftRate: -theta * sin', 'leftRate: -sin'],
    ],
  },
  {
    file: 'src/learn/paths/path.ts',
    tests: ['method/interpolant'],
    mutations: [
      ['left: left + decay * right', 'left: left + right'],
      ['rightRate: spread * rightRate', 'rightRate: spread * leftRate'],
    ],
  },
  {
    file: 'src/learn/times.ts',
    tests: ['method/times'],
    mutations: [
      ['half ** alpha,', 'half ** beta,'],
      ['invert(upper, total - mass)', 'invert(upper, mass - below)'],
      ['Math.exp((-z * z) / 2)', 'Math.exp(-z * z)'],
      ['Math.sinh(a / 2)', 'Math.sinh(a)'],
    ],
  },
  {
    file: 'src/learn/tasks/flow-matching.ts',
    tests: ['method/interpolant', 'method/recipes'],
    mutations: [
      ['at(k / (KNOTS - 1))', 'at(k / KNOTS)'],
      ["path.noising && (free || pairing === 'own')", "path.noising && pairing === 'own'"],
      ['leftSpread: left.spread', 'leftSpread: 0'],
    ],
  },
  {
    file: 'src/learn/couplings.ts',
    tests: ['method/interpolant'],
    mutations: [["pairing: 'independent'", "pairing: 'shuffled'"]],
  },
  {
    file: 'src/recipes/run-recipe.ts',
    tests: ['method/recipes', 'method/pictures', 'method/engines'],
    filter: 'on native|^a config',
    mutations: [
      ['squares / n - (sum / n) ** 2', 'squares / n - sum / n'],
      ['127.5 ** 2', '127.5'],
      ['network.initialise(fitted.seed, fitted.number)', 'network.initialise(fitted.seed, 1)'],
      ['previous && settings.warmStart', 'previous && !settings.warmStart'],
      ['beginning?.outputScale ?? resumed!.outputScale', 'beginning?.outputScale ?? 2 * resumed!.outputScale'],
    ],
  },
  {
    file: 'src/recipes/local-flow.ts',
    tests: ['method/recipes', 'method/pictures'],
    filter: 'on native|^a config',
    mutations: [
      ['before += gamma ?? 0', 'before = gamma ?? 0'],
      ['steps: steps[index]', 'steps: steps[0]'],
      ['stream: finished.length', 'stream: 1'],
    ],
  },
  {
    file: 'src/recipes/push-forward.ts',
    tests: ['method/push', 'method/pictures'],
    filter: 'on native|on reference',
    mutations: [
      ['start: 0, end: 1, keep', 'start: 0, end: 0.9, keep'],
      ['pushed, first * D, count * D', 'pushed, 0, count * D'],
      ['number.write(Uint32Array.of(first))', 'number.write(Uint32Array.of(0))'],
    ],
  },
  {
    file: 'src/recipes/reflow.ts',
    tests: ['method/recipes'],
    filter: 'on native|^a config',
    mutations: [
      ['finished.length,\n      context.conditions?.data', '1,\n      context.conditions?.data'],
      ['from: 0, to: 1, n, solver', 'from: 0, to: 0.9, n, solver'],
      ['paths[i + 1]', 'paths[i]'],
      ['context.settings.own.pairs ?? pool.rows', 'pool.rows'],
      ['timeQuantiles(time)', 'settings.quantiles[0]'],
    ],
  },
  {
    file: 'src/recipes/plain.ts',
    tests: ['method/recipes'],
    filter: 'on native|^a config',
    mutations: [
      ['steps.reduce((sum, n) => sum + n, 0)', 'steps[0]'],
      ['paths.slice(-1)', 'paths.slice(0, 1)'],
    ],
  },
  {
    file: 'src/recipes/schedule.ts',
    tests: ['config/config'],
    mutations: [
      ['-0.5 * Math.log1p(-beta)', '-Math.log1p(-beta)'],
      ['c * rho ** (n - 1)', 'c * rho ** n'],
      ['cosineOffset = 0.008', 'cosineOffset = 0.08'],
      ['(n - 1) / (total - 1)', 'n / total'],
    ],
  },
  {
    file: 'src/recipes/settings.ts',
    tests: ['method/recipes'],
    filter: '^a config',
    mutations: [['flow.time.map(timeQuantiles)', 'flow.time.map(() => timeQuantiles(flow.time[0]))']],
  },
  {
    file: 'src/model/flow.ts',
    tests: ['method/standardised', 'method/carry', 'api/local-flow'],
    filter: 'on native',
    mutations: [
      ['Math.log(2 * Math.PI) + (this.scaler', 'Math.log(2 * Math.PI) - (this.scaler'],
      ['logDet![i] - squares / 2', '-logDet![i] - squares / 2'],
      ['undoScaler(this.scaler, { values, shape }).values : values', 'values : values'],
      ['this.scaler ? applyScaler(this.scaler, x).values : modelValues(x)', 'modelValues(x)'],
    ],
  },
  {
    file: 'src/model/legs.ts',
    tests: ['method/standardised', 'method/carry', 'api/local-flow'],
    filter: 'on native',
    mutations: [['Math.ceil(at) - 1', 'Math.floor(at) - 1']],
  },
  {
    file: 'src/model/transport.ts',
    tests: ['method/carry', 'method/solvers', 'api/local-flow'],
    filter: 'on native',
    mutations: [
      ['[...links].reverse()', '[...links]'],
      ["direction === 'encode' ? [0, 1] : [1, 0]", "direction === 'encode' ? [0, 1] : [1, 0.1]"],
      ['coefficients: dopri5.a[s], node: dopri5.nodes[s]', 'coefficients: dopri5.a[s], node: dopri5.nodes[s - 1]'],
      ['coefficients: dopri5.weights, node: 1', 'coefficients: dopri5.error!, node: 1'],
      ['fill(FIRST_STEP * (leg.end - leg.start), 0, count)', 'fill(FIRST_STEP, 0, count)'],
      ['scales[places[i] - first] = link.outputScale', 'scales[places[i] - first] = legs[0].link.outputScale'],
      [
        'own.map((evaluation) => ({ ...evaluation, network: shared.numbers[i] }))',
        'own.map((evaluation) => ({ ...evaluation, network: 0 }))',
      ],
      ['{ ...seedWords(seed), stream })', '{ ...seedWords(seed), stream: stream + 1 })'],
      ['this.first.write(Uint32Array.of(first))', 'this.first.write(Uint32Array.of(0))'],
    ],
  },
  {
    file: 'src/model/values.ts',
    tests: ['method/pictures', 'data/pictures'],
    mutations: [['Float32Array.from(x.values, pixelValue)', 'Float32Array.from(x.values)']],
  },
  {
    file: 'src/networks/mlp/mlp.ts',
    tests: ['method/initial', 'method/padding'],
    mutations: [
      ['const bound = 1 / Math.sqrt(columns(layer))', 'const bound = 2 / Math.sqrt(columns(layer))'],
      ['layer.inputs + (layer.timeWeight === null ? 0 : 1)', 'layer.inputs'],
      ["'weight', i >> 2, index, part)", "'weight', i >> 2, 0, part)"],
      ["'weight', i >> 2, index, part)", "'weight', i >> 2, index, 0)"],
      ['Math.floor(i / inputs) * pitch', 'Math.floor(i / inputs) * inputs'],
      ['bound * (2 * uniform(word) - 1)', 'bound * uniform(word)'],
    ],
  },
  {
    file: 'src/networks/mlp/spec.ts',
    tests: ['method/gradient', 'parity/composites-native'],
    filter: 'finite|counts|forced',
    mutations: [
      ['l.outputs * (l.inputs + 1 +', 'l.outputs * (l.inputs +'],
      ["i === 0 || net.time === 'every'", "net.time === 'every'"],
    ],
  },
  {
    file: 'src/networks/mlp/mlp_backward.ts',
    tests: ['method/gradient'],
    filter: 'finite',
    mutations: [
      ['{ activation: net.activation, beta: net.beta }', '{ activation: net.activation, beta: 1 }'],
      ['t: gradient.timeWeight && o.t', 't: gradient.timeWeight && o.row_loss'],
    ],
  },
  {
    file: 'src/networks/mlp/mlp_tangents.ts',
    tests: ['method/solvers'],
    filter: 'on reference.*(log-determinant|Hutchinson)',
    mutations: [
      ['saved: i < last ? saved[i] : undefined', 'saved: i < last ? saved[0] : undefined', { filter: 'on reference' }],
    ],
  },
  {
    file: 'src/networks/unet/unet.ts',
    tests: ['method/initial', 'method/unet'],
    mutations: [
      ['const bound = 1 / Math.sqrt(how.fanIn)', 'const bound = 2 / Math.sqrt(how.fanIn)'],
      ['offset + (tap * C + c) * N + n', 'offset + (tap * N + n) * C + c'],
    ],
  },
  {
    file: 'src/networks/unet/spec.ts',
    tests: ['method/unet', 'method/initial'],
    filter: 'known sizes|parameters|begins',
    mutations: [
      ['const E = 4 * width', 'const E = 2 * width'],
      ['{ fanIn: taps * C }', '{ fanIn: C }'],
      ['attentionFlops(net) / 2', 'attentionFlops(net)'],
    ],
  },
  {
    file: 'src/networks/unet/unet_forward.ts',
    tests: ['method/unet'],
    mutations: [["{ ...silu, activation: 'identity' }", 'silu']],
  },
  {
    file: 'src/networks/unet/layers.ts',
    tests: ['method/unet'],
    mutations: [['y, residual: x })', 'y })']],
  },
  {
    file: 'src/networks/unet/residual_block.ts',
    tests: ['method/unet'],
    mutations: [['{ xFirst: 0, factor: 1 / 4 }', '{ xFirst: 0, factor: 1 / 2 }']],
  },
  {
    file: 'src/networks/unet/residual_block_backward.ts',
    tests: ['method/unet'],
    filter: 'gradient|divergence|recomputation|parameter',
    mutations: [['{ xFirst: dy.first, factor: 1 }', '{ xFirst: dy.first, factor: 1 / 4 }']],
  },
  {
    file: 'src/networks/unet/unet_backward.ts',
    tests: ['method/unet'],
    filter: 'gradient|divergence|recomputation|parameter',
    mutations: [
      ['weights(layout.time2, h1, dz2)', 'weights(layout.time2, h2, dz2)'],
      ['training = draws && { ...draws, firstRow: i * rows }', 'training = draws && { ...draws, firstRow: 0 }'],
    ],
  },
  {
    file: 'src/networks/unet/unet_divergence.ts',
    tests: ['method/unet'],
    filter: 'divergence',
    mutations: [['dxLayout: dataLayout(net), scale }', 'dxLayout: dataLayout(net) }']],
  },
  {
    file: 'src/ode/tableaus.ts',
    tests: ['method/solvers'],
    filter: 'on reference',
    mutations: [
      ['weights: [0, 1] }', 'weights: [1, 0] }'],
      ['[0, 1 / 2], [0, 0, 1]]', '[0, 1 / 2], [0, 1, 0]]'],
      ['49 / 176, -5103 / 18656', '49 / 176, 5103 / 18656'],
      ['nodes: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1]', 'nodes: [0, 1 / 5, 3 / 10, 4 / 5, 7 / 9, 1, 1]'],
      ['-17253 / 339200, 22 / 525', '-17253 / 339200, 22 / 252'],
    ],
  },
  {
    file: 'src/ode/steps.ts',
    tests: ['method/steps'],
    mutations: [
      ['k === steps ? to : from + k * width', 'k === steps ? to : from'],
      ['weights[s] * width', 'weights[s]'],
      ['width / (2 * (start - before.at))', 'width / (start - before.at)'],
      ['-width * lean * before.unit', 'width * lean * before.unit'],
      ['dial.instant(reading).rate / dial.own!', '1 / dial.own!'],
      ['(-growth * rate) / size', '(growth * rate) / size'],
    ],
  },
  {
    file: 'src/ode/clock.ts',
    tests: ['method/steps'],
    mutations: [
      ['Math.atan2(Math.hypot(sine, cosine * Math.sin(turn)), cosine * Math.cos(turn))', 'from + turn'],
      ['Math.sin(reading) / sine', 'sine / Math.sin(reading)'],
      ['square / (signal * noiseRate - noise * signalRate)', 'square / (signal * noiseRate + noise * signalRate)'],
      ['(signal * signalRate + noise * noiseRate) / square', '(signal * signalRate + noise * noiseRate)'],
      ['Math.sin(reading - from) * Math.sin(reading + from)', 'Math.sin(reading - from) * Math.sin(reading)'],
    ],
  },
  {
    file: 'src/ode/solver.ts',
    tests: ['method/steps'],
    mutations: [
      ['Math.ceil(counts[subFlow] * share - 1e-9)', 'counts[subFlow]'],
      [
        'Math.floor((evaluations - least) / stagesOf(solver)) + N',
        'Math.ceil((evaluations - least) / stagesOf(solver)) + N',
      ],
      ['(dials[i].to - dials[i].from) / counts[i]', 'dials[i].to - dials[i].from'],
      ["clock === 'local' ? new Array<number>(N).fill(steps)", "clock === 'local' ? new Array<number>(N).fill(1)"],
    ],
  },
  {
    file: 'src/ode/integrate_expansion.ts',
    tests: ['method/solvers', 'method/unet', 'parity/composites-native'],
    filter: 'on reference|integration|fused',
    mutations: [
      ['s === last ? scale * share : scale', 'scale'],
      ['output: step.slice(0, last).map((stage) => stage.share)', 'output: step.slice(0, last).map(() => 0)'],
      ['place - 1, x)', 'place, x)'],
      ['(s === last ? share + carry : share) * place', '(s === last ? share + carry : share)'],
      ['{ y: from.ahead ?? from.y, stages, out: to.y }', '{ y: from.y, stages, out: to.y }'],
    ],
  },
  {
    file: 'src/kernels/adam.ts',
    tests: ['parity/native-TARGET'],
    filter: ' adam: ',
    mutations: [['(1 - a.beta2) * g * g', '(1 - a.beta2) * g']],
  },
  {
    file: 'src/kernels/adaptive_control.ts',
    tests: ['parity/native-TARGET', 'method/solvers'],
    filter: 'on reference| adaptive_control: ',
    mutations: [
      ['a.atol + a.rtol * Math.max(', 'a.rtol * Math.max('],
      ['squares / columns', 'squares'],
      ['growth = Math.min(growth, 1)', 'growth = Math.min(growth, 2)'],
    ],
  },
  {
    file: 'src/kernels/draws.ts',
    tests: ['method/recipes', 'method/draw-batch', 'method/initial'],
    filter: 'simulated.*on native|noise on left|begins',
    mutations: [
      [
        'Math.sqrt(-2 * Math.log(',
        'Math.sqrt(-Math.log(',
        {
          also: [['native/simd/philox.h', 'set1(-2.0f) * log(', 'set1(-1.0f) * log(']],
          objects: ['kernels/draw_batch', 'kernels/normal'],
        },
      ],
      [
        'radius * Math.cos(angle), radius * Math.sin(angle)',
        'radius * Math.cos(angle), radius * Math.cos(angle)',
        { tests: ['parity/native-TARGET'], filter: ' normal: ' },
      ],
    ],
  },
  {
    file: 'src/kernels/draw_batch.ts',
    tests: ['method/draw-batch', 'method/interpolant'],
    mutations: [
      [
        'permute((step % perEpoch) * P + p, n, rowKeys)',
        'permute(p, n, rowKeys)',
        {
          tests: ['method/draw-batch', 'parity/native-TARGET'],
          filter: 'path as a table|stored|noise on|draw_batch: ',
        },
      ],
      ['a.leftDecay * xl +', 'xl +'],
      ['xr = a.decay * xl + a.spread * z', 'xr = a.decay * xl + z'],
      ['(Math.PI / 2) * (cos * xr - sin * xl)', '(Math.PI / 2) * (cos * xr + sin * xl)'],
    ],
  },
  {
    file: 'src/kernels/pool.ts',
    tests: ['method/draw-batch', 'method/pictures'],
    mutations: [
      ['(mirror - 1 - (d % mirror))', '(mirror - (d % mirror))'],
      ['(byte - 127.5) / 127.5', '(byte - 128) / 127.5'],
    ],
  },
  {
    file: 'src/kernels/time_embedding.ts',
    tests: ['method/picture-kernels', 'method/unet'],
    mutations: [
      [
        '10_000 ** (-k / h)',
        '1_000 ** (-k / h)',
        {
          also: [['native/kernels/time_embedding.cc', '-9.210340371976184', '-6.907755278982137']],
          objects: ['kernels/time_embedding'],
        },
      ],
      [
        'o.t.data[b] * 10_000',
        '-o.t.data[b] * 10_000',
        {
          also: [['native/kernels/time_embedding.cc', 'set1(call[TIME].floats()[b])', 'set1(-call[TIME].floats()[b])']],
          objects: ['kernels/time_embedding'],
        },
      ],
    ],
  },
  {
    file: 'src/kernels/group_norm.ts',
    tests: ['method/picture-kernels'],
    mutations: [
      [
        '1 / Math.sqrt(variance + a.epsilon)',
        '1 / Math.sqrt(variance)',
        { tests: ['method/picture-kernels', 'parity/native-TARGET'], filter: 'known|derivative|group_norm: ' },
      ],
      ['const count = H * W * channels', 'const count = H * W * channels - 1'],
      ['0 : 1 / (1 - a.dropout)', '0 : 1'],
      [
        '[1 + data[row + c], data[row + C + c]]',
        '[data[row + c], data[row + C + c]]',
        { tests: ['method/picture-kernels', 'parity/native-TARGET'], filter: 'known|derivative|group_norm: ' },
      ],
    ],
  },
  {
    file: 'src/kernels/attention_backward.ts',
    tests: ['method/picture-kernels'],
    mutations: [['p * (along - D)', 'p * along']],
  },
  {
    file: 'src/kernels/attention.ts',
    tests: ['method/picture-kernels'],
    mutations: [
      [
        'scores[j] = dot / Math.sqrt(d)',
        'scores[j] = dot / d',
        {
          also: [
            ['src/kernels/attention_backward.ts', 'Math.exp(score / Math.sqrt(d) -', 'Math.exp(score / d -'],
            ['src/kernels/attention_backward.ts', '(along - D)) / Math.sqrt(d)', '(along - D)) / d'],
          ],
        },
      ],
    ],
  },
  {
    file: 'src/kernels/activations.ts',
    tests: ['method/gradient', 'parity/native-TARGET'],
    filter: 'finite|derivative| activation: ',
    mutations: [
      ['-Math.expm1(-beta * y)', '-Math.expm1(-y)'],
      ['sigmoid(z) * (1 + z * (1 - sigmoid(z)))', 'sigmoid(z) * (1 + z * sigmoid(z))'],
      ['(-z * z) / 2', '-z * z'],
      ['Math.log1p(Math.exp(-Math.abs(beta * z)))) / beta', 'Math.log1p(Math.exp(-Math.abs(beta * z))))'],
      ['(y > 0 ? 1 : y + 1)', '(y > 0 ? 1 : y)'],
    ],
  },
  {
    file: 'src/kernels/input_tangent.ts',
    tests: ['method/solvers'],
    filter: 'on reference.*log-determinant|on reference',
    mutations: [
      ['-w * Math.sin(w * x) * e', 'w * Math.sin(w * x) * e'],
      ['w * Math.cos(w * x) * e', 'Math.cos(w * x) * e'],
    ],
  },
  {
    file: 'src/kernels/divergence.ts',
    tests: ['method/solvers'],
    filter: 'on reference',
    mutations: [['o.dv.data[row + d]) / T', 'o.dv.data[row + d])']],
  },
  {
    file: 'src/kernels/convolution.ts',
    tests: ['method/picture-kernels', 'method/unet'],
    mutations: [
      ['const inX = x * stride - padding + j', 'const inX = x * stride - padding + i'],
      ['Math.floor(inY / upsample)', 'Math.min(H - 1, inY)'],
    ],
  },
  {
    file: 'src/kernels/linear_loss.ts',
    tests: ['method/gradient'],
    filter: 'finite',
    mutations: [
      ['sum / (D * a.scale * a.scale)', 'sum / (D * a.scale)'],
      ['/ (B * D * a.scale)', '/ (B * D)'],
    ],
  },
  {
    file: 'src/kernels/segment_loss.ts',
    tests: ['method/segments'],
    mutations: [
      ['(weight * (mass * Math.exp(log) - p)) / (B * S)', '(weight * (Math.exp(log) - p)) / (B * S)'],
      ['o.gates.data[s] < D', 'o.gates.data[s] <= D'],
    ],
  },
  {
    file: 'src/kernels/softmax_segments.ts',
    tests: ['method/segments'],
    mutations: [
      ['(Math.exp(x - whole) - o.encoding.data[D + d])', 'Math.exp(x - whole)'],
      ['signalRate - signal * state', 'signalRate'],
    ],
  },
  {
    file: 'src/learn/tasks/choices.ts',
    tests: ['method/choices', 'api/variational'],
    mutations: [
      ['(B * D) / 2', 'B * D'],
      ['              rates,', ''],
      ['x: withGiven(builder, drawn.x, given, end)', 'x: drawn.x'],
    ],
  },
  {
    file: 'src/model/choices.ts',
    tests: ['method/choices'],
    mutations: [
      ['Math.hypot(signal * sin, noise)', 'noise'],
      ['signalRate * cos, spreadRate', 'signalRate, spreadRate'],
    ],
  },
  {
    file: 'src/metrics/tables/boosting.ts',
    tests: ['metrics/boosting'],
    mutations: [
      ['if (count < leastRows || n - count < leastRows) return 0', ''],
      ['h[i] = p * (1 - p)', 'h[i] = 1'],
    ],
  },
  {
    file: 'src/metrics/tables/columns.ts',
    tests: ['metrics/tables'],
    mutations: [['while (j < b.length && b[j] === at) j++', 'if (j < b.length && b[j] === at) j++']],
  },
  {
    file: 'src/metrics/tables/closest.ts',
    tests: ['metrics/tables'],
    mutations: [['sides.length === 2 ? 0.5 : 1 - sides[0]', 'sides.length === 2 ? 0 : 1 - sides[0]']],
  },
  {
    file: 'src/kernels/flow_loss.ts',
    tests: ['method/unet'],
    filter: 'gradient|parameter',
    mutations: [['/ (R * D * a.scale)', '/ (R * D)']],
  },
  {
    file: 'src/random/philox.ts',
    tests: ['random/philox'],
    mutations: [
      ['(middle % 0x10000) + aLow * bHigh', 'aLow * bHigh'],
      ['const rounds = 10', 'const rounds = 9'],
    ],
  },
  {
    file: 'src/random/stream.ts',
    tests: ['data/split-scaler', 'data/densities'],
    mutations: [
      ['.below(i + 1)', '.below(i)'],
      ['this.#spare = radius * Math.sin(angle)', 'this.#spare = radius * Math.cos(angle)'],
      ['Math.sqrt(-2 * Math.log(this.uniform()))', 'Math.sqrt(-Math.log(this.uniform()))'],
    ],
  },
  {
    file: 'src/data/scaler.ts',
    tests: ['data/split-scaler', 'method/standardised'],
    filter: 'scaler|on native',
    mutations: [
      ['(x.values[i * d + j] - mean[j]) ** 2 / n', '(x.values[i * d + j] - mean[j]) ** 2 / (n - 1)'],
      ['scaler.mean[j] + scaler.std[j] * value', 'scaler.std[j] * value'],
      ['sum + Math.log(sigma)', 'sum - Math.log(sigma)'],
      ['(value - scaler.mean[j]) / scaler.std[j]', '(value - scaler.mean[j]) * scaler.std[j]'],
    ],
  },
  {
    file: 'src/data/split.ts',
    tests: ['data/split-scaler'],
    mutations: [
      ['Math.floor(size * rows + 1e-9)', 'Math.floor(size * rows)'],
      ['const testStart = rows - test', 'const testStart = rows - test - 1'],
      ['all.train > left', 'all.train > left + 1'],
    ],
  },
  {
    file: 'src/data/gaussian.ts',
    tests: ['data/densities', 'metrics/frechet'],
    mutations: [
      ['rest -= lower[i][k] * lower[j][k]', 'rest -= lower[j][k] * lower[j][k]'],
      ['-0.5 * squares - logScale', '-0.5 * squares + logScale'],
      ['(a[q][q] - a[p][p]) / (2 * a[p][q])', '(a[q][q] - a[p][p]) / a[p][q]'],
    ],
  },
  {
    file: 'src/data/density.ts',
    tests: ['data/densities'],
    mutations: [['squares / Math.max(n - 1, 1) / n', 'squares / Math.max(n - 1, 1)']],
  },
  {
    file: 'src/data/image-density.ts',
    tests: ['data/densities'],
    mutations: [
      ['g * 38470', 'g * 38740'],
      ['(width - 1) + sigmaX * random.normal()', '(width - 1) + sigmaY * random.normal()'],
      ['const margin = 25', 'const margin = -25'],
      ['const stepY = (2 * height) / (height - 1)', 'const stepY = 2'],
    ],
  },
  {
    file: 'src/data/toy.ts',
    tests: ['data/densities'],
    mutations: [
      ['side * (2 * Math.sin(angle) - 0.5)', 'side * (2 * Math.sin(angle) + 0.5)'],
      ['logNormal(r - radius, noise), logNormal(r + radius, noise)', 'logNormal(r - radius, noise)'],
      ['Math.log(radii.length * 2 * Math.PI * r)', 'Math.log(radii.length * 2 * Math.PI)'],
    ],
  },
  {
    file: 'src/data/npy.ts',
    tests: ['data/files'],
    mutations: [
      [
        'i2: { bytes: 2, view: (...at) => new Int16Array(...at) }',
        'i2: { bytes: 2, view: (...at) => new Uint16Array(...at) }',
      ],
    ],
  },
  {
    file: 'src/data/records.ts',
    tests: ['data/records'],
    mutations: [
      ['this.returned && state !== QUOTED', 'state !== QUOTED'],
      ['code === LF && !(i > 0', 'code === LF && (i > 0'],
      ["this.open === '' ? text.slice(from, i) : this.open + text.slice(from, i)", 'text.slice(from, i)'],
      ['this.length += end - began', 'this.length = end - began'],
    ],
  },
  {
    file: 'src/data/table-text.ts',
    tests: ['data/files'],
    mutations: [['digits / tens[length - 1 - point]', 'digits / tens[length - point]']],
  },
  {
    file: 'src/data/csv.ts',
    tests: ['data/files'],
    mutations: [
      ['const value = numberOf(field, this.comma)', 'const value = numberOf(field, false)'],
      ['let digits = 6; digits < 9', 'let digits = 6; digits < 8'],
      ['String(Number(value.toPrecision(9)))', 'String(Number(value.toPrecision(8)))'],
    ],
  },
  {
    file: 'src/data/idx.ts',
    tests: ['data/pictures'],
    mutations: [['view.getUint32(4 + 4 * i)', 'view.getUint32(4 + 4 * i, true)']],
  },
  {
    file: 'src/data/cifar10.ts',
    tests: ['data/pictures'],
    mutations: [
      ['bytes.subarray(i * RECORD + 1, (i + 1) * RECORD)', 'bytes.subarray(i * RECORD, (i + 1) * RECORD - 1)'],
    ],
  },
  {
    file: 'src/data/pictures.ts',
    tests: ['data/pictures'],
    mutations: [
      ['bytes ? Math.round(sum) : sum', 'bytes ? Math.floor(sum) : sum'],
      ['Math.max(start, j)) / scale', 'Math.max(start, j)) / size'],
      ['Math.floor((i * n) / count)', 'i'],
    ],
  },
  {
    file: 'src/metrics/bits.ts',
    tests: ['metrics/pictures'],
    mutations: [
      ['random.uniform() - 128)', 'random.uniform() - 127.5)'],
      ['Math.log2(127.5)', 'Math.log2(128)'],
    ],
  },
  {
    file: 'src/metrics/eigen.ts',
    tests: ['metrics/frechet'],
    mutations: [
      ['total / (h + h)', 'total / h'],
      ['+ 2 * c * b', '+ c * b'],
    ],
  },
  {
    file: 'src/metrics/energy.ts',
    tests: ['metrics/samples'],
    filter: 'energy|against itself',
    mutations: [
      ['inA / (n * (unbiased ? n - 1 : n))', 'inA / (n * n)'],
      ['return within ? 2 * sum : sum', 'return sum'],
    ],
  },
  {
    file: 'src/metrics/floor.ts',
    tests: ['metrics/samples'],
    filter: 'floor',
    mutations: [['squares / (repeats - 1)', 'squares / repeats']],
  },
  {
    file: 'src/metrics/frechet.ts',
    tests: ['metrics/frechet'],
    mutations: [
      ['centred[j] / (n - 1)', 'centred[j] / n'],
      ['distance - 2 * values.reduce', 'distance - values.reduce'],
      ['(a.mean[i] - b.mean[i]) ** 2', 'Math.abs(a.mean[i] - b.mean[i])'],
    ],
  },
  {
    file: 'src/metrics/nearest.ts',
    tests: ['metrics/samples'],
    filter: 'nearest|alike',
    mutations: [
      ['left -= result[at + k] ** 2', 'left += result[at + k] ** 2'],
      ['own[j] - slack < least', 'own[j] - slack < least / 2'],
    ],
  },
  {
    file: 'src/metrics/neighbours.ts',
    tests: ['metrics/pictures'],
    mutations: [
      ['least(distances, k + 1)[k].value', 'least(distances, k)[k - 1].value'],
      ['out[j] = s0 + s1 + (s2 + s3)', 'out[j] = s0 + s1 + s2'],
      ['shareInside(samples, data, dataRadii, d)', 'shareInside(samples, data, sampleRadii, d)'],
    ],
  },
  {
    file: 'src/metrics/memorising.ts',
    tests: ['metrics/samples'],
    filter: 'copy',
    mutations: [
      ['? 0.5 : 0', '? 1 : 0'],
      ['* 2 * Math.sqrt(n)', '* Math.sqrt(n)'],
    ],
  },
  {
    file: 'src/metrics/minimise.ts',
    tests: ['metrics/samples'],
    filter: 'minimiser|classifier|spreads|chance',
    mutations: [['alphas[i] - rho * dot(y, q)', 'alphas[i] + rho * dot(y, q)']],
  },
  {
    file: 'src/metrics/sliced.ts',
    tests: ['metrics/samples'],
    filter: 'sliced|shift|directions',
    mutations: [
      ['(sum / count) ** (1 / p)', '(sum / count) ** (1 / 2)'],
      ['vector.map((x) => x / length)', 'vector'],
      ['const [uEnd, vEnd] = [(i + 1) * m, (j + 1) * n]', 'const [uEnd, vEnd] = [(i + 1) * n, (j + 1) * m]'],
    ],
  },
  {
    file: 'src/metrics/two-sample.ts',
    tests: ['metrics/samples'],
    filter: 'classifier|spreads|chance',
    mutations: [
      ['(1 / n + 1 / m) / 16', '(1 / n + 1 / m) / 4'],
      ['columns[from + j] * columns[from + k]', 'columns[from + j] * columns[from + j]'],
      ['(row) => fold[row] !== k', '() => true'],
    ],
  },
  {
    file: 'src/metrics/resize.ts',
    tests: ['metrics/onnx'],
    filter: 'bicubic|legacy|clean|resiz',
    mutations: [
      ['-0.5 * d ** 3 + 2.5 * d ** 2', '-0.5 * d ** 3 + 2 * d ** 2'],
      ['const width = Math.max(scale, 1)', 'const width = 1'],
      ['((i + 0.5) * from) / to - 0.5', '((i + 0.5) * from) / to'],
    ],
  },
]

const native = [
  {
    file: 'native/kernels/adam.cc',
    ...parity('adam'),
    mutations: [
      ['fnma(shrink, p, p) - correction1', 'fma(shrink, p, p) - correction1'],
      ['rest2 * g * g', 'rest1 * g * g'],
      ['(sqrt(new_v * correction2) + epsilon)', '(sqrt(new_v) + epsilon)'],
    ],
  },
  {
    file: 'native/kernels/adaptive_control.cc',
    ...parity('adaptive_control'),
    mutations: [
      ['growth = least(growth, 1.0f)', 'growth = least(growth, 2.0f)'],
      ['D + (carries ? 1 : 0)', 'D'],
      ['exp(set1(-0.2f)', 'exp(set1(-0.25f)'],
    ],
  },
  {
    file: 'native/kernels/adaptive_stage.cc',
    ...parity('adaptive_stage'),
    mutations: [['call.number(NODE) * h', 'call.number(NODE)']],
  },
  {
    file: 'native/kernels/average_pool.cc',
    ...parity('average_pool'),
    mutations: [['factor * (upper + lower)', 'factor * (upper + upper)']],
  },
  {
    file: 'native/kernels/divergence.cc',
    ...parity('divergence'),
    mutations: [['sum / static_cast<float>(T)', 'sum']],
  },
  {
    file: 'native/kernels/flow_loss.cc',
    ...parity('flow_loss'),
    mutations: [['(static_cast<double>(D) * scale * scale)', '(static_cast<double>(D) * scale)']],
  },
  {
    file: 'native/kernels/gradient_norm.cc',
    ...parity('gradient_norm'),
    mutations: [
      ['(sum[2] + sum[3])', 'sum[2]'],
      ['least(block, P - first)', 'least(block - 1, P - first)'],
    ],
  },
  {
    file: 'native/kernels/input_tangent.cc',
    ...parity('input_tangent'),
    mutations: [['set1(-frequency)', 'set1(frequency)']],
  },
  {
    file: 'native/kernels/normal.cc',
    ...parity('normal'),
    mutations: [['static_cast<uint32_t>(d >> 2)', 'static_cast<uint32_t>(d >> 3)']],
  },
  {
    file: 'native/kernels/rademacher.cc',
    ...parity('rademacher'),
    mutations: [['(j >> 5) & 3', '(j >> 5) & 1']],
  },
  {
    file: 'native/kernels/draw_batch.cc',
    ...parity('draw_batch'),
    mutations: [
      ['step % per_epoch * pairs', '0u * pairs'],
      ['left_decay * from[d]', 'from[d]'],
      ['(cosines[lane] * xr - sines[lane] * xl)', '(cosines[lane] * xr + sines[lane] * xl)'],
      ['right_mirrored[lane] = sides.word[1][lane] & 1', 'right_mirrored[lane] = sides.word[0][lane] & 1'],
    ],
  },
  {
    file: 'native/kernels/linear_loss.cc',
    ...parity('linear_loss'),
    mutations: [['(static_cast<double>(D) * scale * scale)', '(static_cast<double>(D) * scale)']],
  },
  {
    file: 'native/kernels/group_norm_backward.cc',
    ...parity('group_norm_backward'),
    mutations: [
      ['dnormal - load_lanes(group_sums', 'dnormal + load_lanes(group_sums'],
      ['store_lanes(own_gamma + c, scale * product, lanes)', 'store_lanes(own_gamma + c, product, lanes)'],
    ],
  },
  {
    file: 'native/kernels/time_embedding.cc',
    ...parity('time_embedding'),
    mutations: [['store_lanes(y + h + k, sine, lanes)', 'store_lanes(y + h + k, cosine, lanes)']],
  },
  {
    file: 'native/kernels/segment_loss.cc',
    ...parity('segment_loss'),
    mutations: [
      ['all * softmax - p', 'softmax - p'],
      ['target[gate] / scale[gate] + centre[gate]', 'target[gate] / scale[gate]'],
    ],
  },
  {
    file: 'native/kernels/softmax_segments.cc',
    ...parity('softmax_segments'),
    mutations: [['(p - load_lanes(centre + d, lanes))', 'p']],
  },
  {
    file: 'native/kernels/stage_combine.cc',
    ...parity('stage_combine'),
    mutations: [['if (c != 0) sum = fma', 'sum = fma']],
  },
  {
    file: 'native/kernels/load_rows.cc',
    ...parity('load_rows'),
    mutations: [['first_row + static_cast<uint32_t>(b)', 'static_cast<uint32_t>(b)']],
  },
  {
    file: 'native/kernels/pool.h',
    ...parity('(load_rows|draw_batch)'),
    objects: ['kernels/load_rows', 'kernels/draw_batch'],
    mutations: [
      ['- 127.5f) / 127.5f', '- 127.5f) / 128.0f'],
      ['mirrored ? column % mirror : 0', '0'],
    ],
  },
  {
    file: 'native/norm.h',
    ...parity('group_norm'),
    objects: ['kernels/group_norm'],
    mutations: [
      ['rate * 16777216.0 + 0.5', 'rate * 16777216.0 + 16'],
      ['static_cast<float>(1.0 / (1.0 - rate))', '1.0f'],
    ],
  },
  {
    file: 'native/attention.h',
    ...parity('attention'),
    objects: ['kernels/attention'],
    mutations: [['store(lanes, set1(1.0f) / sqrt(', 'store(lanes, set1(1.0f) / (']],
  },
  {
    file: 'native/winograd.cc',
    tests: ['parity/native-TARGET'],
    filter: 'winograd convolutions',
    mutations: [
      ['AT_B = 1 / (2 * B2 * (B2 - A2))', 'AT_B = 1 / (2 * B2 * (B2 + A2))'],
      ['t[5] = fma(product, d[1], fnma(sum, d[3], d[5]))', 't[5] = fma(product, d[1], fma(sum, d[3], d[5]))'],
      ['g[1] = fma(set1(A * AT_A), m[1] - m[2]', 'g[1] = fma(set1(A * AT_A), m[1] + m[2]'],
      ['store(at, begins ? sum : load(at) + sum)', 'store(at, sum)'],
    ],
  },
  {
    file: 'native/simd/math.h',
    tests: ['native/math'],
    objects: ['measure'],
    mutations: [
      ['fma(p, square, fma(set1(0.16666542f)', 'fma(p, square, fma(set1(0.16666f)'],
      ['p = fma(p, square, set1(0.112835854f))', 'p = fma(p, square, set1(0.1128f))'],
      ['set1(0.33321321f), u', 'set1(0.3332f), u'],
    ],
  },
  {
    file: 'native/simd/activations.h',
    ...composites,
    objects: ['mlp', 'composites/mlp_backward'],
    mutations: [
      ['slope = fma(z, set1(0.398942280f)', 'slope = fma(z, set1(0.3984f)'],
      ['slope = below + set1(1.0f)', 'slope = below'],
      ['set1(0.0f) - expm1_of_negative(set1(0.0f) - beta * y)', 'set1(0.0f) - expm1_of_negative(set1(0.0f) - y)'],
    ],
  },
  {
    file: 'native/simd/philox.h',
    ...parity('draw_batch'),
    objects: ['kernels/draw_batch'],
    mutations: [
      ['round < 10', 'round < 9'],
      ['(static_cast<uint64_t>(word) * n) >> 32', '(static_cast<uint64_t>(word) * (n - 1)) >> 32'],
    ],
  },
  {
    file: 'native/mlp.cc',
    ...composites,
    mutations: [
      ['const V turned = zero() - sine * along', 'const V turned = sine * along'],
      ['if (row_time) sum = fma(set1(time[row + r]), w, sum)', 'if (row_time) sum = fma(set1(time[row]), w, sum)'],
      ['probes ? net.scale / static_cast<float>(T) : net.scale', 'net.scale'],
      ['e ? 0.0f : condition[r * C + column - D]', 'condition ? condition[r * C + column - D] : 0.0f'],
    ],
  },
  {
    file: 'native/composites/mlp_backward.cc',
    ...composites,
    mutations: [
      ['2.0 / (B * D * net.scale)', '2.0 / (B * D)'],
      ['lane < plan.lanes; lane++', 'lane < plan.lanes - 1; lane++'],
    ],
  },
  {
    file: 'native/composites/integrate.cc',
    ...composites,
    mutations: [
      ['combine(sum, now.share, strips.rate', 'combine(strips.y, now.share, strips.rate'],
      ['(now.share + now.carry) * now.factor * now.place', 'now.share * now.factor * now.place'],
      ['scale(now.factor, strips.rate, now.own, x', 'scale(now.factor, strips.rate, 0, x'],
      ['combine(strips.y, now.reach', 'combine(strips.x, now.reach'],
    ],
  },
  {
    file: 'native/kernels/epilogue.h',
    ...parity('linear_(forward|tangent)'),
    objects: ['kernels/linear_forward', 'kernels/linear_tangent'],
    mutations: [
      ['time[(row + r) * time_stride]', 'time[row * time_stride]'],
      ['row < saved_rows ? row : row % saved_rows', 'row < saved_rows ? row : 0'],
    ],
  },
  {
    file: 'native/kernels/accumulate.cc',
    ...parity('accumulate'),
    mutations: [['load_lanes(total + i, lanes) + load_lanes(part', 'load_lanes(part + i, lanes) + load_lanes(part']],
  },
]

const expand = (groups) =>
  groups.flatMap(({ mutations, ...group }) =>
    mutations.map(([from, to, more = {}]) => {
      const { also = [], ...over } = more
      return { ...group, ...over, edits: [[group.file, from, to], ...also] }
    }),
  )

export const mutations = [...expand(source), ...expand(native)]
