// The index: two to four runs ticked, their fronts in one picture.
import {scaleLinear, scaleLog} from "d3-scale";
import {h, outline, svg} from "./dom.js";
import {fewDigits, labelOf} from "./format.js";

const kShapes = ["circle", "square", "triangle", "diamond"];
const kMost = 4;

const sameObjectives = (a, b) => a.objectives.length === b.objectives.length &&
  a.objectives.every((one, i) => one.name === b.objectives[i].name && one.better === b.objectives[i].better);

function scale(columns, from, to) {
  const values = columns.flatMap(({values: own, factor}) => own.filter(Number.isFinite).map((value) => value / factor));
  const low = Math.min(...values), high = Math.max(...values), room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  const isLog = low > 0 && high > 100 * low;
  return (isLog ? scaleLog().domain([low / 1.1, high * 1.1]) : scaleLinear().domain([low - room, high + room])).range([from, to]);
}

function picture(runs, a, b) {
  const xs = runs.map((run) => run.objectives[a]), ys = runs.map((run) => run.objectives[b]);
  const x = scale(xs, 60, 620), y = scale(ys, 330, 24);
  const marks = runs.map((run, i) => {
    const {factor: fx} = xs[i], {factor: fy} = ys[i];
    return run.number.map((number, k) => [xs[i].values[k], ys[i].values[k], number]).filter(([u, v]) => Number.isFinite(u) && Number.isFinite(v))
      .map(([u, v, number]) => svg("path", {d: outline(kShapes[i], x(u / fx), y(v / fy), 4), fill: "none", stroke: `var(--series${i})`, "stroke-width": 2},
        svg("title", {}, `${run.name} ${run.folder}, network ${number}: ${fewDigits(u / fx)}, ${fewDigits(v / fy)}`)));
  });
  const direction = ({better}) => (better === "less" ? ", less is better" : better === "more" ? ", more is better" : "");
  return svg("svg", {viewBox: "0 0 640 380", width: "100%", role: "img", "aria-label": "Fronts of the runs that are ticked"},
    y.ticks(6).flatMap((tick) => [svg("path", {class: "grid", d: `M60 ${y(tick)}H620`}), svg("text", {x: 54, y: y(tick) + 4, "text-anchor": "end"}, fewDigits(tick))]),
    x.ticks(6).map((tick) => svg("text", {x: x(tick), y: 346, "text-anchor": "middle"}, fewDigits(tick))),
    svg("path", {class: "axis", d: "M60 24V330H620"}), marks,
    svg("text", {class: "name", x: 4, y: 12}, labelOf(ys[0]) + direction(ys[0])),
    svg("text", {class: "name", x: 340, y: 370, "text-anchor": "middle"}, labelOf(xs[0]) + direction(xs[0])));
}

export function compareRuns(runs, root) {
  const ticked = new Set();
  const reading = document.querySelector("#compare .reading");
  const rows = document.querySelectorAll("#runs tbody tr");
  const boxes = [...rows].map((row, i) => {
    const box = h("input", {type: "checkbox", "aria-label": `Compare ${runs[i].name} ${runs[i].folder}`, onchange: () => { if (box.checked) ticked.add(i); else ticked.delete(i); show(); }});
    row.firstElementChild.prepend(box, " ");
    return box;
  });
  const filter = h("input", {type: "search", "aria-label": "Filter runs by name, time or identity", placeholder: "filter", oninput: () => {
    const words = (row) => [0, 1, row.cells.length - 1].map((i) => row.cells[i].textContent).join(" ").toLowerCase();
    for (const row of rows) row.hidden = !words(row).includes(filter.value.toLowerCase());
  }});
  document.querySelector("#runs .scroll").before(h("div", {class: "tools"}, h("label", {}, "show", filter)));

  function show() {
    const first = ticked.size ? runs[Math.min(...ticked)] : null;
    boxes.forEach((box, i) => {
      const fits = first === null || (first.objectives.length > 1 && sameObjectives(runs[i], first));
      box.disabled = !ticked.has(i) && (!fits || ticked.size >= kMost);
    });
    const chosen = [...ticked].sort((a, b) => a - b).map((i) => runs[i]);
    root.replaceChildren();
    if (chosen.length < 2) {
      reading.textContent = first && first.objectives.length < 2 ? "That run has one objective, so no front." : "Tick two to four runs that have the same objectives.";
      return;
    }
    const runtimes = new Set(chosen.flatMap((run) => run.runtimes)), isTimed = chosen[0].objectives.some(({name}) => /^(latency_ms|energy_mj)$/.test(name));
    reading.textContent = "Networks of each run's front (of a sweep, of all its points' fronts). Where one run's marks lie nearer to the better corner, it found more."
      + (isTimed && runtimes.size > 1 ? ` Latencies are of ${[...runtimes].join(" and of ")}, and cannot be compared.` : "");
    const choice = (at) => h("select", {onchange: redraw}, chosen[0].objectives.map((one, i) => h("option", {value: String(i), selected: i === at}, one.label)));
    const a = choice(0), b = choice(1), holder = h("div", {class: "figure"});
    function redraw() { holder.replaceChildren(picture(chosen, Number(a.value), Number(b.value))); }
    root.append(h("div", {class: "tools"}, h("label", {}, "across", a), h("label", {}, "up", b)),
      h("ul", {class: "legend"}, chosen.map((run, i) => h("li", {}, svg("svg", {width: 14, height: 14, "aria-hidden": "true"},
        svg("path", {d: outline(kShapes[i], 7, 7, 4), fill: "none", stroke: `var(--series${i})`, "stroke-width": 2})), `${run.name} ${run.folder}`))), holder);
    redraw();
  }
  show();
}
