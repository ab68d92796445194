// Lines over a number: searches, trainings, regret.
import {scaleLinear, scaleLog} from "d3-scale";
import {h, legend, svg} from "./dom.js";
import {cut, fewDigits} from "./format.js";

const kDashes = ["", "6 3", "2 3", "8 3 2 3"];
const kWidth = 460, kHeight = 260, kLeft = 58, kFoot = 40, kTop = 26, kRight = 12;

/** Told apart by colour, and by dash where there are more than six. */
export function styleOf(index) {
  return {stroke: `var(--series${index % 6})`, "stroke-dasharray": kDashes[Math.floor(index / 6) % 4] || undefined};
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  return low < high ? [low, high] : [low - (Math.abs(low) * 0.05 || 1), high + (Math.abs(high) * 0.05 || 1)];
}

function path(points, x, y) {
  return points.filter((point) => point.every(Number.isFinite))
    .map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
}

/** What is counted has no halves; `names` stand for 1, 2, ... */
function xMarks(x, names) {
  if (names) return names.map((name, i) => [i + 1, name]);
  let ticks = x.ticks(5).filter(Number.isInteger);
  if (ticks.length > 8) ticks = ticks.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
  return ticks.map((tick) => [tick, fewDigits(tick)]);
}

function axes(x, y, xName, yName, names) {
  const bottom = kHeight - kFoot, yTicks = y.ticks(5);
  return [
    ...yTicks.flatMap((tick) => [svg("path", {class: "grid", d: `M${kLeft} ${y(tick)}H${kWidth - kRight}`}),
      svg("text", {x: kLeft - 6, y: y(tick) + 4, "text-anchor": "end"}, fewDigits(tick))]),
    ...xMarks(x, names).map(([at, text]) => svg("text", {x: x(at), y: bottom + 15, "text-anchor": "middle"}, text)),
    svg("path", {class: "axis", d: `M${kLeft} ${kTop}V${bottom}H${kWidth - kRight}`}),
    svg("text", {class: "name", x: 4, y: 14}, cut(yName, 60)),
    svg("text", {class: "dim", x: (kLeft + kWidth) / 2, y: kHeight - 6, "text-anchor": "middle"}, xName)];
}

/** series: [{name, points: [[x, y], ...], style, band: [[x, low, high], ...]}]; x counts something. */
export function curves({series, xName, yName, names, log = false, title = yName}) {
  const all = series.flatMap(({points, band}) => [...points, ...(band ?? []).flatMap(([x, low, high]) => [[x, low], [x, high]])]);
  const xs = extent(all.map(([x]) => x)), ys = extent(all.map(([, y]) => y));
  if (!all.some((point) => point.every(Number.isFinite))) return null;
  const x = (log && xs[0] > 0 ? scaleLog() : scaleLinear()).domain(xs).range([kLeft, kWidth - kRight]);
  const y = scaleLinear().domain(ys).nice(5).range([kHeight - kFoot, kTop]);
  const picture = svg("svg", {viewBox: `0 0 ${kWidth} ${kHeight}`, width: "100%", role: "img", "aria-label": title},
    axes(x, y, xName, yName, names),
    series.map(({band, style}) => band && svg("path", {fill: style.stroke, "fill-opacity": 0.15,
      d: path([...band.map(([a, low]) => [a, low]), ...[...band].reverse().map(([a, , high]) => [a, high])], x, y) + "z"})),
    series.map(({name, points, style}) => points.length === 1 || points.filter((point) => point.every(Number.isFinite)).length === 1
      ? svg("circle", {cx: x(points[0][0]), cy: y(points[0][1]), r: 3, fill: style.stroke}, svg("title", {}, name))
      : svg("path", {class: "line", ...style, d: path(points, x, y)}, svg("title", {}, name))));
  return h("div", {class: "figure"}, picture);
}

/** One for several pictures of the same series. */
export function seriesLegend(entries) {
  return legend(entries.map(({name, style}) => h("span", {},
    svg("svg", {width: 26, height: 10, "aria-hidden": "true"}, svg("path", {class: "line", ...style, d: "M1 5H25"})), cut(name, 60))));
}
