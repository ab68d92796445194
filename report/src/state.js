// What is kept of all networks, and who wants to know. Every view sets ranges here and draws what
// is here: so a brush, a box and a number field are the same thing.

const kMostPins = 5;

function columnOf(metric, index, points) {
  const values = Float64Array.from(metric.values, (value) => (value === null ? NaN : value));
  let low = Infinity, high = -Infinity;
  for (const value of values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  const limits = points.map((point) => point.limits[metric.name]);
  return {
    ...metric, values, low, high, key: `c${index}`,
    hasValues: low <= high,
    // One limit for all points, or none that could be shown.
    limit: limits.every((limit) => limit === limits[0]) ? limits[0] : undefined,
    isLimited: limits.some((limit) => limit !== undefined),
    log: low > 0 && high > 100 * low,
    reversed: metric.better === "less",
    // Drawn by default.
    shown: false,
  };
}

function columnsOf(data) {
  const metrics = data.metrics.map((metric, i) => columnOf(metric, i, data.points));
  const choices = data.choices.map((choice, i) =>
    columnOf({...choice, label: choice.name, unit: "", factor: 1, choice: true,
              options: choice.options.length ? choice.options : null}, metrics.length + i, data.points));
  const columns = [...metrics, ...choices].filter((column) => column.hasValues);
  for (const column of columns) column.shown = column.objective || column.isLimited || Boolean(column.accuracy);
  // Nothing to show by itself: then costs.
  if (columns.filter((column) => column.shown).length < 2)
    for (const column of columns.filter((column) => !column.choice).slice(0, 4)) column.shown = true;
  return columns;
}

export class State {
  constructor(data) {
    this.data = data;
    this.count = data.arch.length;
    this.columns = columnsOf(data);
    this.ranges = new Map();  // of a column: [least, most]
    this.point = -1;          // all
    this.frontOnly = false;
    this.pins = [];
    this.kept = new Uint8Array(this.count);
    this.keptCount = 0;
    this.listeners = new Set();
    this.marks = this.marksOf();
    this.isFront = new Uint8Array(this.count);
    for (const point of data.points) for (const place of point.front) this.isFront[place] = 1;
    this.decide();
  }

  /** Of each network that is something: what, the most important first. */
  marksOf() {
    const marks = new Map();
    const add = (place, kind) => marks.set(place, [...(marks.get(place) ?? []), kind]);
    for (const point of this.data.points) {
      if (point.best !== undefined) add(point.best, point.keeps ? "best" : "nearest");
      for (const place of point.chosen) add(place, "chosen");
      if (point.knee !== undefined) add(point.knee, "knee");
      for (const place of Object.values(point.ends)) if (!(marks.get(place) ?? []).includes("end")) add(place, "end");
      for (const place of point.front) add(place, "front");
    }
    return marks;
  }

  get shownColumns() { return this.columns.filter((column) => column.shown); }

  decide() {
    const ranges = [...this.ranges].map(([column, range]) => [column.values, ...range]);
    let count = 0;
    for (let i = 0; i < this.count; ++i) {
      let keep = (this.point < 0 || this.data.point[i] === this.point) && (!this.frontOnly || this.isFront[i]);
      for (let r = 0; keep && r < ranges.length; ++r) {
        const value = ranges[r][0][i];
        keep = value >= ranges[r][1] && value <= ranges[r][2];  // not of what is no number
      }
      this.kept[i] = keep ? 1 : 0;
      count += keep ? 1 : 0;
    }
    this.keptCount = count;
  }

  /** Calls every view; `what` is "ranges", "axes" or "pins". */
  changed(what) {
    if (what === "ranges") this.decide();
    for (const listener of this.listeners) listener(what);
  }

  /** null lets everything through. Several columns at a time are one change. */
  keep(entries) {
    for (const [column, range] of entries)
      if (range) this.ranges.set(column, range);
      else this.ranges.delete(column);
    this.changed("ranges");
  }

  reset() {
    this.ranges.clear();
    this.frontOnly = false;
    this.point = -1;
    this.changed("ranges");
  }

  togglePin(place) {
    const at = this.pins.indexOf(place);
    if (at >= 0) this.pins.splice(at, 1);
    else if (this.pins.length < kMostPins) this.pins.push(place);
    else return false;
    this.changed("pins");
    return true;
  }

  /** Those that are kept, in the run's order. */
  keptPlaces() {
    const places = [];
    for (let i = 0; i < this.count; ++i) if (this.kept[i]) places.push(i);
    return places;
  }

  nameOf(place) { return `network ${this.data.number[place]}`; }
}
