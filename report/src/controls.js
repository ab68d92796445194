// What keeps networks without a mouse: rows of the sweep, the front, number fields; and how axes
// are drawn.
import {h, keepingFocus} from "./dom.js";
import {labelOf} from "./format.js";
import {rangeOf, shownRange} from "./scales.js";

/** Above the front: which networks there are to be kept at all. */
export function tools(state, root) {
  const {points} = state.data;
  const count = h("output", {class: "count", "aria-live": "polite"});
  const front = h("input", {type: "checkbox", onchange: () => { state.frontOnly = front.checked; state.changed("ranges"); }});
  const point = h("select", {"aria-label": "Point of the sweep", onchange: () => { state.point = Number(point.value); state.changed("ranges"); }},
    h("option", {value: "-1"}, `all ${points.length} points`),
    points.map((one, i) => h("option", {value: String(i)}, `${one.row || "point"} (seed ${one.seed})`)));
  const best = bestShare(state);
  const reset = h("button", {type: "button", onclick: () => state.reset()}, "Keep all");
  root.append(h("div", {class: "tools"}, count, points.length > 1 ? point : null,
    h("label", {}, front, "front only"), best, reset));
  const tell = () => {
    count.textContent = `${state.keptCount} of ${state.count} network${state.count === 1 ? "" : "s"} kept${rangesText(state)}`;
    front.checked = state.frontOnly;
    point.value = String(state.point);
  };
  state.listeners.add((what) => what === "ranges" && tell());
  tell();
}

/** For paper, where no brush can be seen: what was asked for. */
function rangesText(state) {
  const words = [...state.ranges].map(([column, range]) => {
    const [least, most] = shownRange(column, range);
    return `${labelOf(column)} ${least === null ? "≤ " + most : most === null ? "≥ " + least : `${least} to ${most}`}`;
  });
  return words.length ? ": " + words.join("; ") : "";
}

/** "best [10] % by [latency]" sets the range of that column. */
function bestShare(state) {
  const columns = state.columns.filter((column) => column.better);
  if (!columns.length) return null;
  const share = h("input", {type: "number", class: "share", min: 0, max: 100, step: "any", value: "10", "aria-label": "Share of the best to keep, in per cent"});
  const by = h("select", {"aria-label": "The number that says which are best"},
    columns.map((column, i) => h("option", {value: String(i)}, column.label)));
  const keep = () => {
    const column = columns[Number(by.value)], sign = column.better === "less" ? 1 : -1;
    const sorted = Array.from(column.values).filter(Number.isFinite).sort((a, b) => sign * (a - b));
    const wanted = Math.max(1, Math.ceil((Number(share.value) / 100) * sorted.length));
    const worst = sorted[Math.min(wanted, sorted.length) - 1];
    state.keep([[column, sign > 0 ? [-Infinity, worst] : [worst, Infinity]]]);
  };
  return h("label", {}, "best", share, "% by", by, h("button", {type: "button", onclick: keep}, "Keep"));
}

function rangeFields(state, column) {
  const field = (words) => h("input", {class: "range", type: "number", step: "any", "aria-label": `${words} ${labelOf(column)}`, onchange: take});
  const least = field("Least"), most = field("Most");
  function take() {
    const number = (input) => (input.value === "" ? null : Number(input.value));
    state.keep([[column, rangeOf(column, number(least), number(most))]]);
  }
  const tell = () => {
    const [a, b] = shownRange(column, state.ranges.get(column));
    for (const [input, value] of [[least, a], [most, b]])
      if (document.activeElement !== input || value === null) input.value = value ?? "";
  };
  state.listeners.add((what) => what === "ranges" && tell());
  tell();
  return [least, most];
}

/** Options have names, not numbers: one of them, or all. */
function optionField(state, column) {
  const choice = h("select", {"aria-label": column.label, onchange: () => {
    const at = Number(choice.value);
    state.keep([[column, at < 0 ? null : [at, at]]]);
  }}, h("option", {value: "-1"}, "any"), column.options.map((option, i) => h("option", {value: String(i)}, option)));
  state.listeners.add((what) => {
    const range = state.ranges.get(column);
    if (what === "ranges") choice.value = range && range[0] === range[1] ? String(range[0]) : "-1";
  });
  return choice;
}

function row(state, column, redraw) {
  const check = (words, key, fits = true) => h("input", {type: "checkbox", checked: column[key], disabled: !fits,
    "aria-label": `${words}: ${column.label}`, onchange: (event) => { column[key] = event.target.checked; state.changed("axes"); }});
  const move = (by, sign) => h("button", {type: "button", "aria-label": `Move ${column.label} ${by < 0 ? "to the left" : "to the right"}`, onclick: () => {
    const from = state.columns.indexOf(column), to = from + by;
    if (to < 0 || to >= state.columns.length) return;
    state.columns.splice(from, 1);
    state.columns.splice(to, 0, column);
    state.changed("axes");
    redraw();
  }}, sign);
  const fields = column.options ? [h("td", {colspan: 2}, optionField(state, column))]
                                : rangeFields(state, column).map((field) => h("td", {}, field));
  return h("tr", {}, h("th", {scope: "row"}, labelOf(column)), fields,
    h("td", {}, check("Axis", "shown")), h("td", {}, check("Logarithmic", "log", column.low > 0 && !column.options)),
    h("td", {}, check("Upside down", "reversed")), h("td", {}, move(-1, "←"), " ", move(1, "→")));
}

/** Number fields and axes, a row a number. */
export function numbers(state, root) {
  const body = h("tbody");
  const fill = () => keepingFocus(body, () => body.replaceChildren(...state.columns.map((column) => (column.row ??= row(state, column, fill)))));
  fill();
  root.append(h("details", {open: window.innerWidth > 640},
    h("summary", {}, "Numbers: what is kept, and how axes are drawn"),
    h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers and axes"},
      h("table", {}, h("thead", {}, h("tr", {}, ["number", "at least", "at most", "axis", "log", "upside down", "order"]
        .map((name) => h("th", {scope: "col"}, name)))), body))));
}
