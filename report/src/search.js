// How the search went: the best so far of every objective, hypervolume, and what the searcher told.
import {curves, seriesLegend, styleOf} from "./curves.js";
import {h} from "./dom.js";
import {labelOf} from "./format.js";

function pointName(point) { return `${point.row || "search"} (seed ${point.seed})`; }

/** [networks looked at, best so far in the shown unit] for one point, where that changes; nothing for a single network. */
function bestSoFar(data, column, point) {
  const points = [];
  const sign = column.better === "less" ? 1 : -1;
  let best = NaN, count = 0;
  for (let i = 0; i < data.arch.length; ++i) {
    if (data.point[i] !== point) continue;
    ++count;
    const value = column.values[i];
    if (data.state[i] !== 0 || !Number.isFinite(value) || sign * value >= sign * best) continue;
    if (!Number.isNaN(best)) points.push([count, best / column.factor]);
    best = value;
    points.push([count, best / column.factor]);
  }
  if (points.length) points.push([count, best / column.factor]);
  return count > 1 ? points : [];
}

/** Share of the box that the front of two objectives dominates, over networks; exact. */
function hypervolume(data, [a, b], point) {
  const sign = (column) => (column.better === "less" ? 1 : -1);
  const places = [];
  for (let i = 0; i < data.arch.length; ++i)
    if (data.point[i] === point && data.state[i] === 0 && Number.isFinite(a.values[i]) && Number.isFinite(b.values[i])) places.push(i);
  if (places.length < 3) return [];
  const scaled = (column) => {
    const values = places.map((i) => sign(column) * column.values[i]);
    const low = Math.min(...values), extent = Math.max(...values) - low || 1;
    return values.map((value) => (value - low) / extent);
  };
  const x = scaled(a), y = scaled(b), step = Math.max(1, Math.floor(places.length / 50));
  let front = [], points = [];
  for (let i = 0; i < places.length; ++i) {
    if (!front.some(([u, v]) => u <= x[i] && v <= y[i])) {
      front = front.filter(([u, v]) => !(x[i] <= u && y[i] <= v));
      front.push([x[i], y[i]]);
    }
    if (i % step && i !== places.length - 1) continue;
    let area = 0, last = 1.1;
    for (const [u, v] of [...front].sort((p, q) => q[0] - p[0])) { area += (last - u) * (1.1 - v); last = u; }
    points.push([i + 1, area / 1.21]);
  }
  return points;
}

/** Of each row of the sweep, by its points, what is known from how many scored networks on. */
function byRow(table) {
  const rows = new Map();
  table.row.forEach((row, i) => {
    const points = rows.get(row) ?? rows.set(row, new Map()).get(row);
    (points.get(table.point[i]) ?? points.set(table.point[i], []).get(table.point[i])).push([table.scored[i], table.hypervolume[i]]);
  });
  return rows;
}

/** By row of the sweep: the median over its seeds, and the quartiles as a band. What a seed found it keeps. */
function bands(table) {
  return [...byRow(table)].map(([row, points], i) => {
    const seeds = [...points.values()], steps = [...new Set(seeds.flat().map(([at]) => at))].sort((a, b) => a - b);
    const sorted = steps.map((at) => [at, seeds.map((seed) => seed.filter(([own]) => own <= at).at(-1)?.[1] ?? 0).sort((a, b) => a - b)]);
    const quantile = (values, part) => {
      const at = part * (values.length - 1), i = Math.floor(at);
      return values[i] + (at - i) * ((values[i + 1] ?? values[i]) - values[i]);
    };
    return {name: row || "search", style: styleOf(i), points: sorted.map(([at, values]) => [at, quantile(values, 0.5)]),
            band: sorted.map(([at, values]) => [at, quantile(values, 0.25), quantile(values, 0.75)])};
  });
}

function courses(table) {
  const points = [...new Set(table.point)];
  return Object.keys(table).filter((name) => !["point", "row", "seed", "epoch"].includes(name)).map((name) => curves({
    xName: "epoch", yName: name,
    series: points.map((point) => ({name: table.row[table.point.indexOf(point)] || "search", style: styleOf(point - 1),
      points: table.point.map((own, k) => [own, table.epoch[k], table[name][k] ?? NaN]).filter(([own]) => own === point).map(([, at, value]) => [at, value])}))}));
}

const kMostLines = 24;

export function search(state, root) {
  if (!root) return;
  const {data} = state, points = data.points.slice(0, kMostLines);
  const objectives = state.columns.filter((column) => column.objective);
  const perPoint = (values) => points.map((point, i) => ({name: pointName(point), style: styleOf(i), points: values(i)})).filter(({points: own}) => own.length);
  const pictures = objectives.map((column) => curves({series: perPoint((i) => bestSoFar(data, column, i)),
    xName: "networks looked at", yName: `best ${labelOf(column)} within the limits`}));
  if (data.tables.fronts) {
    const series = bands(data.tables.fronts);
    const picture = curves({series, xName: "networks scored", yName: "share of the best front's hypervolume (median, quartiles)"});
    if (picture) root.append(h("div", {class: "pair"}, h("div", {}, picture, series.length > 1 ? seriesLegend(series) : null), h("div")));
  } else if (objectives.length === 2)
    pictures.unshift(curves({series: perPoint((i) => hypervolume(data, objectives, i)), xName: "networks within the limits", yName: "hypervolume of the front, share of the box of all"}));
  if (data.tables.course) pictures.push(...courses(data.tables.course));
  const there = pictures.filter(Boolean);
  if (points.length > 1 && there.length) root.append(seriesLegend(points.map((point, i) => ({name: pointName(point), style: styleOf(i)}))));
  root.append(h("div", {class: "pair"}, there));
  if (data.points.length > kMostLines) root.append(h("p", {class: "note"}, `Lines of the first ${kMostLines} of ${data.points.length} points.`));
}
