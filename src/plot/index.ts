/** Pictures and the run report: figures as SVG text, PNG from SVG, one HTML file for a run. */
export { type Bar, type BarsFigure, barsFigure } from './bars.js'
export { type ComparisonPage, renderComparison } from './comparison.js'
export { type CornerFigure, cornerFigure, MOST_COLUMNS } from './corner.js'
export { type CurvePanel, type CurvePoint, type CurvesFigure, curvesFigure, type QualityCurve } from './curves.js'
export { type LossFigure, type LossSeries, lossFigure } from './loss.js'
export { picturePng, type TilesFigure, tilesPng } from './pictures.js'
export {
  type Bounds,
  type ChainOptions,
  type ChainState,
  chainFigure,
  chainLabel,
  columnLabel,
  type PointsFigure,
  type PointsPanel,
  pointsFigure,
} from './points.js'
export { type PngOptions, renderPng, renderSvg } from './render.js'
export {
  type ReportCurve,
  type ReportEvaluation,
  type ReportInput,
  type ReportQuality,
  type ReportSubFlow,
  renderReport,
} from './report.js'
