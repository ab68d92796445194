// One network: its layers as a drawing, and what lies where in its arena; a layer is shown in both.
import dagre from "@dagrejs/dagre";
import {h, svg} from "./dom.js";
import {cut, fewDigits, percent} from "./format.js";

/** What C++ writes as short lists, by name. */
function readable(plan) {
  const layers = plan.layers.map(([name, kernel, shape, inputs, macs, rom, latency, alive]) =>
    ({name, kernel, shape, inputs, macs, rom, latency: latency ?? NaN, alive}));
  const blocks = plan.blocks.map(([tensor, first, last, offset, bytes]) => ({tensor, first, last, offset, bytes}));
  const latency = layers.reduce((sum, layer) => sum + (layer.latency || 0), 0);
  const read = {...plan, layers, blocks, latency, macs: layers.reduce((sum, layer) => sum + layer.macs, 0)};
  return {...read, most: Math.max(1e-9, ...layers.map((layer) => shareOf(read, layer)))};
}

const kib = (bytes) => `${fewDigits(bytes / 1024)} KiB`;

function layerTitle(plan, layer) {
  const parts = [`${layer.name}: ${layer.kernel}, makes ${layer.shape}`];
  if (Number.isFinite(layer.latency)) parts.push(`latency ${fewDigits(layer.latency)} ms (${percent(layer.latency / plan.latency)})`);
  parts.push(`${fewDigits(layer.macs / 1e6)} M MACs`, `flash ${kib(layer.rom)}`, `${kib(layer.alive)} in use while it runs`);
  return parts.join("; ");
}

/** The layers that take most of the time, until half of it is told. */
function slowLayers(plan) {
  const order = [...plan.layers].sort((a, b) => (b.latency || 0) - (a.latency || 0)), words = [];
  for (let told = 0; plan.latency > 0 && told < 0.5 * plan.latency && words.length < 3;) {
    const layer = order[words.length];
    told += layer.latency;
    words.push(`${layer.name} (${layer.kernel}) ${percent(layer.latency / plan.latency)}`);
  }
  return words.length ? ` Its time goes into ${words.join(", ").replace(/, ([^,]*)$/, " and $1")}.` : "";
}

/** The sentences above drawing and plan, for the network that is shown. */
function readings(name, plan) {
  const peak = plan.layers[plan.peak], title = name[0].toUpperCase() + name.slice(1);
  return [`${title} has ${plan.layers.length} layers, from top to bottom as they run.${slowLayers(plan)}`,
    peak ? `${title}: The arena takes ${kib(plan.arena)}; whatever the plan, ${kib(plan.bound)} are in use at one time. Most while ${peak.name} (${peak.kernel}) runs `
      + "(framed): a smaller tensor there, and nowhere else, makes it smaller. A block is a tensor: as wide as it is needed, as high as its bytes; dashed is scratch of a layer." : ""];
}

const kBox = {width: 132, height: 34};

function layout(plan) {
  const graph = new dagre.graphlib.Graph({multigraph: true});
  graph.setGraph({rankdir: "TB", nodesep: 14, ranksep: 26, marginx: 8, marginy: 8});
  graph.setDefaultEdgeLabel(() => ({}));
  graph.setNode("0", {...kBox});
  plan.layers.forEach((layer, i) => {
    graph.setNode(String(i + 1), {...kBox});
    layer.inputs.forEach((input, k) => graph.setEdge(String(input), String(i + 1), {width: 60, height: 12, labelpos: "r"}, String(k)));
  });
  dagre.layout(graph);
  return graph;
}

/** Edges carry the channels; they are as wide as what flows is large. */
function edges(plan, graph) {
  const shapeOf = (tensor) => (tensor === 0 ? plan.input : plan.layers[tensor - 1].shape);
  const sizeOf = (shape) => shape.split("x").reduce((product, side) => product * Number(side), 1);
  const most = Math.max(sizeOf(plan.input), ...plan.layers.map((layer) => sizeOf(layer.shape)));
  return graph.edges().map((edge) => {
    const {points, x, y} = graph.edge(edge), shape = shapeOf(Number(edge.v));
    const d = points.map((point, i) => `${i ? "L" : "M"}${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join("");
    return svg("g", {}, svg("path", {class: "flow", "stroke-width": (1 + 4 * sizeOf(shape) / most).toFixed(1), d}),
      x !== undefined ? svg("text", {class: "dim halo", x: x - 24, y: y + 4}, shape) : null);
  });
}

/** Of the latency where it is known, else of the MACs. */
function shareOf(plan, layer) {
  return plan.latency > 0 ? (layer.latency || 0) / plan.latency : plan.macs > 0 ? layer.macs / plan.macs : 0;
}

/** The layers, the one that takes most first. */
function costs(plan, choose) {
  const order = plan.layers.map((_, i) => i).sort((a, b) => shareOf(plan, plan.layers[b]) - shareOf(plan, plan.layers[a]) || a - b);
  const row = (i) => {
    const layer = plan.layers[i];
    return h("tr", {}, h("th", {scope: "row"}, h("button", {type: "button", title: layer.name, onclick: () => choose(i)}, cut(layer.name.split("/").slice(-2).join("/"), 30))),
      h("td", {class: "word"}, layer.kernel), h("td", {}, layer.shape), h("td", {class: "number"}, Number.isFinite(layer.latency) ? fewDigits(layer.latency) : "-"),
      h("td", {class: "number"}, percent(shareOf(plan, layer))), h("td", {class: "number"}, fewDigits(layer.macs / 1e6)), h("td", {class: "number"}, fewDigits(layer.rom / 1024)));
  };
  return h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Costs of layers"},
    h("table", {class: "small"}, h("caption", {}, "Where it goes"), h("thead", {}, h("tr", {}, ["layer", "kernel", "makes"].map((name) => h("th", {scope: "col"}, name)),
      ["ms", "share", "M MACs", "flash KiB"].map((name) => h("th", {scope: "col", class: "number"}, name)))), h("tbody", {}, order.map(row))));
}

function box(plan, graph, i, choose) {
  const {x, y} = graph.node(String(i + 1)), layer = plan.layers[i];
  const share = shareOf(plan, layer);
  const rect = svg("rect", {class: "box", x: x - kBox.width / 2, y: y - kBox.height / 2, ...kBox, rx: 4,
    style: `fill: color-mix(in srgb, var(--series1) ${Math.round((share / plan.most) * 50)}%, var(--card))`});
  return svg("g", {class: "layer", tabindex: "0", role: "button",
    onclick: () => choose(i), onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(i); } }},
    svg("title", {}, layerTitle(plan, layer)), rect,
    svg("text", {x, y: y - 3, "text-anchor": "middle"}, cut(layer.kernel, 22)),
    svg("text", {x, y: y + 11, "text-anchor": "middle"}, share > 0 ? `${percent(share)} of the ${plan.latency > 0 ? "time" : "MACs"}` : cut(layer.name.split("/").pop(), 20)));
}

function drawing(plan, choose) {
  const graph = layout(plan), input = graph.node("0"), {height} = graph.graph();
  // Long edges may run beside all nodes.
  const xs = graph.edges().flatMap((edge) => graph.edge(edge).points.map((point) => point.x));
  const left = Math.min(0, ...xs.map((x) => x - 8)), width = Math.max(graph.graph().width, ...xs.map((x) => x + 8)) - left;
  return svg("svg", {width, height, viewBox: `${left} 0 ${width} ${height}`, role: "group", "aria-label": "Layers of the network; Enter shows one in the memory plan"},
    edges(plan, graph),
    svg("g", {}, svg("rect", {class: "box", fill: "var(--card)", x: input.x - kBox.width / 2, y: input.y - kBox.height / 2, ...kBox, rx: 16}),
      svg("text", {x: input.x, y: input.y + 4, "text-anchor": "middle"}, "input")),
    plan.layers.map((_, i) => box(plan, graph, i, choose)));
}

const kPlan = {left: 62, top: 24, width: 690, height: 280};

function arena(plan, choose) {
  const {left, top, width, height} = kPlan, steps = plan.layers.length;
  const x = (step) => left + (width * step) / steps, y = (bytes) => top + height - (height * bytes) / Math.max(plan.arena, 1);
  const nameOf = (tensor) => (tensor === 0 ? "the input" : plan.layers[tensor - 1].name);
  const blocks = plan.blocks.map((block) => {
    const words = block.tensor < 0 ? `scratch of ${plan.layers[block.first].name}` : nameOf(block.tensor);
    return svg("rect", {class: block.tensor < 0 ? "scratch" : block.tensor % 2 ? "tensor other" : "tensor", "data-first": block.first, "data-last": block.last,
      x: x(block.first), width: Math.max(1, x(block.last + 1) - x(block.first)), y: y(block.offset + block.bytes), height: Math.max(1, y(block.offset) - y(block.offset + block.bytes)),
      onclick: () => choose(block.first)}, svg("title", {}, `${words}: ${kib(block.bytes)} at ${block.offset}, layers ${block.first + 1} to ${block.last + 1}`));
  });
  const line = (bytes, kind, words, dy) => [svg("path", {class: kind, d: `M${left} ${y(bytes)}h${width}`}),
    svg("text", {x: left - 5, y: y(bytes) + dy, "text-anchor": "end"}, fewDigits(bytes / 1024)),
    svg("text", {class: "halo", x: left + width, y: y(bytes) - 3, "text-anchor": "end"}, words)];
  const same = Math.abs(y(plan.bound) - y(plan.arena)) < 14;
  return svg("svg", {viewBox: `0 0 ${left + width + 8} ${top + height + 34}`, width: "100%", role: "img", "aria-label": "Arena over the layers"},
    svg("path", {class: "axis", d: `M${left} ${top}v${height}h${width}`}), svg("text", {x: left, y: 12}, "KiB"), blocks,
    svg("rect", {class: "peak", x: x(plan.peak), width: x(1) - x(0), y: top, height}),
    line(plan.arena, "arena", plan.bound === plan.arena ? "arena; no plan can be smaller" : same ? "arena; no plan can be smaller than the dashed line" : "arena", 0), plan.bound < plan.arena ? line(plan.bound, "bound", same ? "" : "no plan can be smaller", same ? 13 : 4) : null,
    svg("text", {x: left + width / 2, y: top + height + 26, "text-anchor": "middle"}, `layers 1 to ${steps}, in the order in which they run`));
}

export function networks(state, networkRoot, memoryRoot) {
  if (!networkRoot || !memoryRoot || !state.data.plans.length) return;
  const plans = state.data.plans;
  const holder = h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Drawing of the network"});
  const table = h("div"), memory = h("div", {class: "arena-plan", tabindex: "0", role: "region", "aria-label": "Memory plan"}), told = h("p", {class: "note", "aria-live": "polite"}), about = h("p", {class: "note"});
  const picker = h("select", {"aria-label": "Network to show", onchange: () => { note.textContent = ""; show(Number(picker.value)); }},
    plans.map(({place}, i) => h("option", {value: String(i)}, `${state.nameOf(place)}${(state.marks.get(place) ?? []).includes("best") ? " (the one to take)" : ""}`)));
  const note = h("p", {class: "note"});
  networkRoot.append(h("div", {class: "tools"}, h("label", {}, "network", picker)), note, about, h("div", {class: "pair"}, holder, table));
  memoryRoot.append(told, memory);

  function choose(plan, i) {
    const layer = plan.layers[i];
    told.textContent = layerTitle(plan, layer);
    holder.querySelectorAll(".layer").forEach((node, k) => node.querySelector("rect").classList.toggle("now", k === i));
    for (const rect of memory.querySelectorAll("rect[data-first]"))
      rect.classList.toggle("now", Number(rect.dataset.first) <= i && i <= Number(rect.dataset.last));
  }

  function show(i) {
    const plan = readable(plans[i]);
    picker.value = String(i);
    const place = plans[i].place;
    about.textContent = `${state.nameOf(place)}: ${plan.layers.length} layers, ${fewDigits(plan.macs / 1e6)} M MACs as deployed`
      + `${plan.latency > 0 ? `, ${fewDigits(plan.latency)} ms in layers` : ""}. The darker a layer, the more of the ${plan.latency > 0 ? "latency" : "MACs"} it takes; a wide line is a large tensor (channels x height x width).`;
    holder.replaceChildren(drawing(plan, (layer) => choose(plan, layer)));
    table.replaceChildren(costs(plan, (layer) => choose(plan, layer)));
    memory.replaceChildren(arena(plan, (layer) => choose(plan, layer)));
    readings(state.nameOf(place), plan).forEach((text, k) => { [networkRoot, memoryRoot][k].closest("section").querySelector(".reading").textContent = text; });
    if (plan.layers.length) choose(plan, plan.peak);
  }

  state.listeners.add((what) => {
    if (what !== "pins" || !state.pins.length) return;
    const last = state.pins[state.pins.length - 1], found = plans.findIndex(({place}) => place === last);
    note.textContent = found < 0 ? `The page holds no drawing of ${state.nameOf(last)}: only of what was found, selected, and on the front.` : "";
    if (found >= 0) show(found);
  });
  show(0);
}
