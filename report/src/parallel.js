// The front as parallel coordinates: an axis a number, a line a network, a brush an axis.
import {brushY} from "d3-brush";
import {select} from "d3-selection";
import {colour, h, kMarks, legend, markKey, outline, sizedContext, svg} from "./dom.js";
import {cut, labelOf} from "./format.js";
import {marksOf, rangeOf, readableRange, scaleOf} from "./scales.js";
import {Strokes} from "./strokes.js";

const kHeight = 380, kTop = 46, kBottom = 34, kSide = 54;

export class Parallel {
  constructor(state, root) {
    this.state = state;
    this.ground = h("canvas", {"aria-hidden": "true"});
    this.front = h("canvas", {"aria-hidden": "true"});
    this.picture = svg("svg", {role: "group", "aria-label": "Parallel coordinates: drag along an axis to keep what lies there"});
    this.chart = h("div", {class: "chart", tabindex: "0", role: "region", "aria-label": "Parallel coordinates"}, this.ground, this.front, this.picture);
    this.groundStrokes = new Strokes();
    this.frontStrokes = new Strokes();
    const kinds = Object.keys(kMarks).filter((kind) =>
      kind === "pin" || [...state.marks.values()].some((marks) => marks.includes(kind)));
    root.append(this.chart, legend(kinds.map(markKey)));
    state.listeners.add((what) => (what === "axes" ? this.layout() : this.drawKept()));
    this.layout();
  }

  layout() {
    const {state} = this;
    this.columns = state.shownColumns;
    const room = this.chart.clientWidth || 800;
    const width = Math.max(room, 2 * kSide + (this.columns.length - 1) * 92);
    this.width = width;
    const step = this.columns.length > 1 ? (width - 2 * kSide) / (this.columns.length - 1) : 0;
    this.places = this.columns.map((column, i) => (this.columns.length > 1 ? kSide + i * step : width / 2));
    this.scales = this.columns.map((column) => scaleOf(column, kHeight - kBottom, kTop));
    this.picture.setAttribute("width", width);
    this.picture.setAttribute("height", kHeight);
    this.picture.replaceChildren(...this.columns.map((column, i) => this.axis(column, i, step)));
    this.brushes();
    this.drawGround();
    this.drawKept();
  }

  axis(column, i, step) {
    const x = this.places[i], scale = this.scales[i];
    const better = column.better ? (column.reversed === (column.better === "less") ? "better ↑" : "better ↓") : "";
    // The names of the outermost begin and end where the picture does.
    const at = !step ? [x, "middle"] : i === 0 ? [2, "start"] : i === this.columns.length - 1 ? [this.width - 2, "end"] : [x, "middle"];
    const name = svg("text", {class: "name halo", x: at[0], y: 14, "text-anchor": at[1]}, cut(labelOf(column), Math.max(10, Math.floor((step || 200) / 7))));
    name.append(svg("title", {}, labelOf(column)));
    return svg("g", {},
      ...this.shade(column, x, scale),
      svg("path", {class: "axis", d: `M${x} ${kTop}V${kHeight - kBottom}`}),
      ...marksOf(column, scale, 6).map(({at, text}) =>
        svg("g", {}, svg("path", {class: "axis", d: `M${x - 4} ${at}h4`}),
          svg("text", {class: "halo", x: x - 7, y: at + 4, "text-anchor": "end"}, text))),
      name, svg("text", {class: "dim", x, y: 29, "text-anchor": "middle"}, better),
      svg("text", {class: "dim", x, y: kHeight - 4, "text-anchor": "middle"}, this.hasGaps(column) ? "no value" : ""),
      svg("g", {class: "brush", transform: `translate(${x - 14},0)`}));
  }

  /** What is beyond the limit. */
  shade(column, x, scale) {
    if (column.limit === undefined || column.limit > column.high) return [];
    const at = scale(Math.max(column.limit, scale.domain()[0])), end = column.reversed ? kHeight - kBottom : kTop;
    return [svg("rect", {class: "beyond", x: x - 14, width: 28, y: Math.min(at, end), height: Math.abs(end - at)}),
            column.limit < scale.domain()[0] ? null : svg("path", {class: "limit-mark", d: `M${x - 14} ${at}h28`})];
  }

  hasGaps(column) {
    if (column.gaps === undefined) column.gaps = column.values.some((value) => !Number.isFinite(value));
    return column.gaps;
  }

  brushes() {
    this.picture.querySelectorAll("g.brush").forEach((node, i) => {
      const column = this.columns[i], scale = this.scales[i];
      const brush = brushY().extent([[0, kTop], [28, kHeight - kBottom]])
        .on("brush end", ({type, selection, sourceEvent}) => {
          if (!sourceEvent) return;  // moved by us
          this.dragged = type === "end" ? null : node;
          const range = selection ? readableRange(column, ...selection.map(scale.invert)) : [null, null];
          this.state.keep([[column, rangeOf(column, ...range)]]);
        });
      select(node).call(brush);
      node.brush = brush;
    });
  }

  /** Where a network crosses an axis; what has no value does so below it. */
  height(i, place) {
    const value = this.columns[i].values[place];
    return Number.isFinite(value) ? this.scales[i](value) : kHeight - kBottom + 14;
  }

  trace(context, place) {
    for (let i = 0; i < this.columns.length; ++i)
      if (i === 0) context.moveTo(this.places[0], this.height(0, place));
      else context.lineTo(this.places[i], this.height(i, place));
  }

  drawGround() {
    const context = sizedContext(this.ground, this.width, kHeight);
    context.strokeStyle = colour("grey");
    context.globalAlpha = this.state.count > 1000 ? 0.25 : 0.5;
    const all = Array.from({length: this.state.count}, (_, i) => i);
    this.groundStrokes.run(all, () => context.beginPath(), (place) => this.trace(context, place), () => context.stroke());
  }

  drawKept() {
    const {state} = this, context = sizedContext(this.front, this.width, kHeight);
    this.moveBrushes();
    const kept = state.keptPlaces();
    const isAll = kept.length === state.count && state.count > 1;
    context.strokeStyle = colour("kept");
    context.globalAlpha = isAll ? Math.min(0.5, 60 / state.count) : Math.max(0.12, Math.min(0.8, 150 / (kept.length + 1)));
    this.frontStrokes.run(kept, () => context.beginPath(), (place) => this.trace(context, place), () => context.stroke());
    context.globalAlpha = 1;
    for (const [place, kinds] of state.marks) if (state.kept[place]) this.drawMarked(context, place, kinds[0]);
    for (const place of state.pins) this.drawMarked(context, place, "pin");
  }

  drawMarked(context, place, kind) {
    const mark = kMarks[kind];
    const alpha = kind === "front" ? Math.max(0.15, Math.min(0.8, 40 / (this.state.marks.size + 1))) : 0.9;
    context.save();
    context.strokeStyle = colour(mark.colour);
    context.globalAlpha = alpha;
    context.lineWidth = kind === "front" ? 1.2 : 2;
    context.beginPath();
    this.trace(context, place);
    context.stroke();
    context.globalAlpha = 1;
    const path = this.columns.map((_, i) => outline(mark.shape, this.places[i], this.height(i, place), kind === "front" ? 2.5 : 4)).join("");
    if (kind !== "front" || this.state.marks.size < 60) context.stroke(new Path2D(path));
    context.restore();
  }

  /** Brushes show what is kept, whoever said so. */
  moveBrushes() {
    this.picture.querySelectorAll("g.brush").forEach((node, i) => {
      if (node === this.dragged) return;
      const range = this.state.ranges.get(this.columns[i]);
      const scale = this.scales[i], [low, high] = scale.domain();
      const ends = range && [Math.max(low, range[0]), Math.min(high, range[1])];
      const selection = ends && ends[0] <= ends[1] ? ends.map(scale).sort((a, b) => a - b) : null;
      if (selection && this.columns[i].options) { selection[0] -= 6; selection[1] += 6; }
      select(node).call(node.brush.move, selection);
    });
  }
}
