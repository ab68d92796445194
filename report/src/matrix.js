// Every number against every other, below the diagonal; a box keeps what is in it.
import {brush} from "d3-brush";
import {select} from "d3-selection";
import {colour, h, kMarks, outline, sizedContext, svg} from "./dom.js";
import {cut, labelOf} from "./format.js";
import {marksOf, rangeOf, readableRange, scaleOf} from "./scales.js";
import {Strokes} from "./strokes.js";

const kLeft = 86, kFoot = 52, kGap = 10, kMost = 6;

export class Matrix {
  constructor(state, root) {
    this.state = state;
    this.ground = h("canvas", {"aria-hidden": "true"});
    this.front = h("canvas", {"aria-hidden": "true"});
    this.picture = svg("svg", {role: "group", "aria-label": "Scatter matrix: drag a box to keep what is in it"});
    this.chart = h("div", {class: "chart", tabindex: "0", role: "region", "aria-label": "Scatter matrix"}, this.ground, this.front, this.picture);
    this.note = h("p", {class: "note"});
    this.groundStrokes = new Strokes();
    this.frontStrokes = new Strokes();
    root.append(this.chart, this.note);
    state.listeners.add((what) => (what === "axes" ? this.layout() : this.drawKept()));
    this.layout();
  }

  layout() {
    const columns = this.state.shownColumns, room = this.chart.clientWidth || 800;
    const most = room < 560 ? 4 : kMost;
    this.columns = columns.slice(0, most);
    this.note.textContent = columns.length > most
      ? `The first ${most} of ${columns.length} axes; order and choice are those of the axes above.` : "";
    const rows = Math.max(0, this.columns.length - 1);
    const side = rows ? Math.max(64, Math.min(230, (room - kLeft - 4) / rows - kGap)) : 0;
    this.side = side;
    this.width = kLeft + rows * (side + kGap);
    this.height = rows * (side + kGap) + kFoot;
    this.cells = [];
    for (let row = 0; row < rows; ++row)
      for (let column = 0; column <= row; ++column) this.cells.push(this.cell(row, column));
    this.picture.setAttribute("width", this.width);
    this.picture.setAttribute("height", rows ? this.height : 0);
    this.picture.replaceChildren(...this.frames());
    this.brushes();
    this.drawGround();
    this.drawKept();
  }

  cell(row, column) {
    const left = kLeft + column * (this.side + kGap), top = row * (this.side + kGap);
    const x = this.columns[column], y = this.columns[row + 1];
    // To the right and up are more here, as in every scatter plot.
    const plain = (of, from, to) => scaleOf({...of, reversed: false}, from, to);
    return {left, top, x, y, toX: plain(x, left, left + this.side), toY: plain(y, top + this.side, top)};
  }

  frames() {
    const {side} = this, rows = this.columns.length - 1, made = [];
    for (const cell of this.cells) {
      made.push(svg("rect", {class: "axis", x: cell.left, y: cell.top, width: side, height: side}));
      if (cell.left === kLeft) made.push(...this.yMarks(cell));
      if (cell.top === (rows - 1) * (side + kGap)) made.push(...this.xMarks(cell));
      made.push(...this.limits(cell));
    }
    for (const cell of this.cells) made.push(svg("g", {class: "brush"}));
    return made;
  }

  yMarks({top, y, toY}) {
    const middle = top + this.side / 2;
    const name = svg("text", {class: "name", "text-anchor": "middle", transform: `translate(12,${middle}) rotate(-90)`},
      cut(labelOf(y), Math.max(6, Math.floor(this.side / 7))), svg("title", {}, labelOf(y)));
    return [name, ...marksOf(y, toY, Math.max(2, Math.round(this.side / 50))).map(({at, text}) =>
      svg("text", {x: kLeft - 5, y: at + 4, "text-anchor": "end"}, cut(text, 9)))];
  }

  xMarks({left, top, x, toX}) {
    const foot = top + this.side;
    const name = svg("text", {class: "name", "text-anchor": "middle", x: left + this.side / 2, y: foot + 34},
      cut(labelOf(x), Math.max(6, Math.floor(this.side / 7))), svg("title", {}, labelOf(x)));
    return [name, ...marksOf(x, toX, Math.max(2, Math.round(this.side / 65))).map(({at, text}) =>
      svg("text", {x: at, y: foot + 15, "text-anchor": "middle"}, cut(text, 7)))];
  }

  limits({left, top, x, y, toX, toY}) {
    const lines = [];
    const within = (column, scale) => column.limit !== undefined && column.limit > scale.domain()[0] && column.limit < scale.domain()[1];
    if (within(x, toX)) lines.push(svg("path", {class: "limit-mark", d: `M${toX(x.limit)} ${top}v${this.side}`}));
    if (within(y, toY)) lines.push(svg("path", {class: "limit-mark", d: `M${left} ${toY(y.limit)}h${this.side}`}));
    return lines;
  }

  brushes() {
    this.picture.querySelectorAll("g.brush").forEach((node, i) => {
      const {left, top, x, y, toX, toY} = this.cells[i];
      const box = brush().extent([[left, top], [left + this.side, top + this.side]])
        .on("brush end", ({type, selection, sourceEvent}) => {
          if (!sourceEvent) return;  // moved by us
          this.dragged = type === "end" ? null : node;
          const range = (column, scale, ends) => rangeOf(column, ...(ends ? readableRange(column, ...ends.map(scale.invert)) : [null, null]));
          this.state.keep([[x, range(x, toX, selection && [selection[0][0], selection[1][0]])],
                           [y, range(y, toY, selection && [selection[0][1], selection[1][1]])]]);
        });
      select(node).call(box);
      node.brush = box;
    });
  }

  draw(context, strokes, places, size) {
    const finite = Number.isFinite;
    strokes.run(places, () => {}, (place) => {
      for (const {x, y, toX, toY} of this.cells) {
        const a = x.values[place], b = y.values[place];
        if (finite(a) && finite(b)) context.fillRect(toX(a) - size / 2, toY(b) - size / 2, size, size);
      }
    }, () => {});
  }

  dotSize() { return this.state.count > 3000 ? 2 : this.state.count > 500 ? 3 : 4; }

  drawGround() {
    const context = sizedContext(this.ground, this.width, this.height);
    context.fillStyle = colour("grey");
    context.globalAlpha = 0.6;
    this.draw(context, this.groundStrokes, Array.from({length: this.state.count}, (_, i) => i), this.dotSize() * 0.8);
  }

  drawKept() {
    const {state} = this, context = sizedContext(this.front, this.width, this.height);
    this.moveBrushes();
    context.fillStyle = colour("kept");
    this.draw(context, this.frontStrokes, state.keptPlaces(), this.dotSize());
    for (const [place, kinds] of state.marks) if (state.kept[place]) this.drawMarked(context, place, kinds[0]);
    for (const place of state.pins) this.drawMarked(context, place, "pin");
  }

  drawMarked(context, place, kind) {
    const mark = kMarks[kind];
    const path = this.cells.filter(({x, y}) => Number.isFinite(x.values[place]) && Number.isFinite(y.values[place]))
      .map(({x, y, toX, toY}) => outline(mark.shape, toX(x.values[place]), toY(y.values[place]), kind === "front" ? 2.5 : 4));
    context.strokeStyle = colour(mark.colour);
    context.lineWidth = kind === "front" ? 1.2 : 2;
    context.stroke(new Path2D(path.join("")));
  }

  moveBrushes() {
    this.picture.querySelectorAll("g.brush").forEach((node, i) => {
      if (node === this.dragged) return;
      const {x, y, toX, toY} = this.cells[i];
      const ends = (column, scale) => {
        const range = this.state.ranges.get(column), [low, high] = scale.domain();
        return range && [scale(Math.max(low, range[0])), scale(Math.min(high, range[1]))].sort((a, b) => a - b);
      };
      const across = ends(x, toX), down = ends(y, toY);
      select(node).call(node.brush.move, across && down ? [[across[0], down[0]], [across[1], down[1]]] : null);
    });
  }
}
