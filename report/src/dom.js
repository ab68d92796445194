// Elements are made here, and text is always set as text: names in a run can be hostile.

const kSvg = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string" && name !== "style") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** h("button", {type: "button", onclick: f}, "text") */
export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An architecture, to be broken between its decisions, as arch_html() in framework/src/page/html.cpp does. */
export function breakable(arch) {
  return arch.split(/(?<=[,;|+])/).flatMap((decision, i) => i ? [h("wbr"), decision] : [decision]);
}

export function svg(name, attributes, ...children) {
  const element = document.createElementNS(kSvg, name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Redraws what has the focus, which then has it again: what is called the same. */
export function keepingFocus(root, redraw) {
  const nameOf = (element) => element.getAttribute("aria-label") ?? element.title;
  const name = root.contains(document.activeElement) ? nameOf(document.activeElement) : "";
  redraw();
  if (name) [...root.querySelectorAll("button, input, select")].find((element) => nameOf(element) === name)?.focus();
}

/** The colour that a variable of the style sheet has now. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Marks that are told apart by shape as well. */
export const kMarks = {
  front: {shape: "circle", colour: "front", label: "on the front"},
  chosen: {shape: "square", colour: "chosen", label: "selected"},
  knee: {shape: "diamond", colour: "chosen", label: "knee"},
  end: {shape: "triangle", colour: "chosen", label: "end of the front"},
  best: {shape: "star", colour: "ink", label: "the one to take"},
  nearest: {shape: "star", colour: "bad", label: "nearest to the limits"},
  pin: {shape: "cross", colour: "ink", label: "pinned"},
};

/** Traces a mark's outline into a canvas path or an SVG path's text. */
export function outline(shape, x, y, r) {
  switch (shape) {
    case "square": return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
    case "diamond": return `M${x} ${y - 1.4 * r}L${x + 1.4 * r} ${y}L${x} ${y + 1.4 * r}L${x - 1.4 * r} ${y}z`;
    case "triangle": return `M${x} ${y - 1.3 * r}L${x + 1.2 * r} ${y + r}H${x - 1.2 * r}z`;
    case "cross": return `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
    case "star": return Array.from({length: 10}, (_, i) => {
      const length = i % 2 ? r * 0.6 : r * 1.5, angle = (i * Math.PI) / 5;
      return `${i ? "L" : "M"}${x + length * Math.sin(angle)} ${y - length * Math.cos(angle)}`;
    }).join("") + "z";
    default: return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  }
}

export function legend(entries) {
  return h("ul", {class: "legend"}, entries.map((entry) => h("li", {}, entry)));
}

export function markKey(kind) {
  const {shape, colour: name, label} = kMarks[kind];
  const picture = svg("svg", {width: 14, height: 14, "aria-hidden": "true"},
    svg("path", {d: outline(shape, 7, 7, 4), fill: "none", stroke: `var(--${name})`, "stroke-width": 2}));
  return h("span", {}, picture, label);
}

/** A canvas that is sharp on this screen, drawn in CSS pixels. */
export function sizedContext(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
