// Do the proxies know? Ranks against accuracies, regret, and how metrics agree with each other.
import {curves, seriesLegend, styleOf} from "./curves.js";
import {h, svg} from "./dom.js";
import {labelOf} from "./format.js";

const kMostTrusted = 100;

/** Networks of the first point, as the table below has them, whose accuracy is known. */
function known(data, accuracy) {
  return data.point.flatMap((point, i) => (point === 0 && Number.isFinite(accuracy.values[i]) ? [i] : []));
}

/** Of a metric, the accuracy lost by looking only at the k that it ranks highest; what has no value ranks last. */
function regret(metric, accuracy, all) {
  const sign = metric.better === "less" ? 1 : -1;
  const places = all.filter((i) => Number.isFinite(metric.values[i]));
  places.sort((a, b) => sign * (metric.values[a] - metric.values[b]) || accuracy.values[a] - accuracy.values[b]);
  const best = all.reduce((most, i) => Math.max(most, accuracy.values[i]), -Infinity);
  let found = -Infinity;
  return places.slice(0, kMostTrusted).map((place, k) => {
    found = Math.max(found, accuracy.values[place]);
    return [k + 1, best - found];
  });
}

function ranks(values, places) {
  const order = [...places].sort((a, b) => values[a] - values[b]);
  const found = new Map();
  order.forEach((place, rank) => found.set(place, rank > 0 && values[order[rank - 1]] === values[place] ? found.get(order[rank - 1]) : rank + 1));
  return found;
}

/** Each network's place by the metric against its place by accuracy. */
function rankScatter(metric, accuracy, all) {
  const places = all.filter((i) => Number.isFinite(metric.values[i]));
  const step = Math.ceil(places.length / 3000);
  const x = ranks(metric.values, places), y = ranks(accuracy.values, places);
  const at = (rank, size) => 40 + (rank / (places.length + 1)) * size;
  const dots = places.filter((_, i) => i % step === 0)
    .map((place) => `M${at(x.get(place), 380).toFixed(0)} ${(270 - at(y.get(place), 220)).toFixed(0)}h0`).join("");
  const order = metric.better === "less" ? "the best is left" : "the best is right";
  return svg("svg", {viewBox: "0 0 460 270", width: "100%", role: "img", "aria-label": `Ranks by ${metric.label} against ranks by accuracy`},
    svg("path", {class: "axis", d: "M40 10V230H440"}), svg("path", {class: "dots series0", "stroke-opacity": places.length > 400 ? 0.4 : 0.8, d: dots}),
    svg("text", {x: 240, y: 250, "text-anchor": "middle"}, `place by ${labelOf(metric)}; ${order}`),
    svg("text", {transform: "translate(20,120) rotate(-90)", "text-anchor": "middle"}, "place by accuracy; the best is up"));
}

/** Kendall's tau of all pairs as a table whose cells are coloured. */
function heatMap(table, point) {
  const cells = new Map();
  const names = [];
  const add = (name) => { if (!names.includes(name)) names.push(name); };
  table.metric.forEach((metric, i) => {
    if (table.subset[i] !== "all" || table.point[i] !== point) return;
    add(table.against[i]);
    add(metric);
    cells.set(`${metric}|${table.against[i]}`, table.tau[i]);
    cells.set(`${table.against[i]}|${metric}`, table.tau[i]);
  });
  const cell = (a, b) => {
    const tau = a === b ? 1 : cells.get(`${a}|${b}`);
    if (tau === undefined || tau === null) return h("td", {}, "-");
    const colour = tau >= 0 ? "var(--series0)" : "var(--series1)";
    const td = h("td", {title: `${a} and ${b}`}, tau.toFixed(2));
    td.style.background = `color-mix(in srgb, ${colour} ${Math.round(Math.abs(tau) * 35)}%, var(--paper))`;
    return td;
  };
  return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Agreement of all metrics"},
    h("table", {class: "heat"}, h("caption", {}, "Kendall's tau of all pairs"),
      h("thead", {}, h("tr", {}, h("td"), names.map((name) => h("th", {scope: "col"}, name)))),
      h("tbody", {}, names.map((a) => h("tr", {}, h("th", {scope: "row"}, a), names.map((b) => cell(a, b)))))));
}

/** What the analysis compares, in the ways that it takes them: of the controls more is better. */
function rankedBy({columns, data}) {
  const names = new Set(data.tables.agreement?.metric ?? []);
  for (const name of data.tables.agreement?.against ?? []) names.add(name);
  return columns.filter((column) => names.has(column.name) && !column.accuracy)
    .map((column) => (column.name === "macs" || column.name === "params" ? {...column, better: "more"} : column));
}

export function agreement(state, root) {
  if (!root) return;
  const {data} = state, accuracy = state.columns.find((column) => column.accuracy);
  const metrics = rankedBy(state);
  const parts = [];
  if (accuracy && metrics.length) {
    const holder = h("div");
    const choose = h("select", {"aria-label": "Metric to set against accuracy", onchange: () => show(metrics[Number(choose.value)])},
      metrics.map((metric, i) => h("option", {value: String(i)}, metric.label)));
    const all = known(data, accuracy);
    const show = (metric) => {
      const missing = all.filter((i) => !Number.isFinite(metric.values[i])).length;
      holder.replaceChildren(rankScatter(metric, accuracy, all));
      if (missing) holder.append(h("p", {class: "note"}, `${missing} of ${all.length} have no value; they rank last, and are not drawn.`));
    };
    const first = metrics.findIndex((metric) => metric.objective && !metric.unit);
    choose.value = String(Math.max(0, first));
    show(metrics[Math.max(0, first)]);
    const lines = metrics.map((metric, i) => ({name: metric.label, style: styleOf(i), points: regret(metric, accuracy, all)}));
    parts.push(h("div", {}, h("div", {class: "tools"}, h("label", {}, "metric", choose)), holder),
      h("div", {}, curves({series: lines, log: true, xName: "networks trusted (the highest ranked)", yName: "percentage points lost against the best"}), seriesLegend(lines)));
  }
  if (data.tables.agreement) parts.push(heatMap(data.tables.agreement, 1));
  root.append(h("div", {class: "pair"}, parts));
}
