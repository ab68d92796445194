// From a column's numbers to places on the screen, and back to ranges that a person can read.
import {scaleLinear, scaleLog} from "d3-scale";
import {cut, fewDigits} from "./format.js";

/** `from` is where the worst lies, `to` where the best does; without a better, less and more. */
export function scaleOf(column, from, to) {
  const [low, high] = column.options ? [-0.4, column.options.length - 0.6] : padded(column);
  const scale = (column.log && low > 0 ? scaleLog() : scaleLinear()).domain([low, high]);
  return scale.range(column.reversed ? [to, from] : [from, to]);
}

function padded({low, high, log}) {
  if (low === high) return log ? [low / 1.1, high * 1.1] : [low - (Math.abs(low) * 0.05 || 1), high + (Math.abs(high) * 0.05 || 1)];
  if (log) { const room = (high / low) ** 0.03; return [low / room, high * room]; }
  const room = (high - low) * 0.03;
  return [low - room, high + room];
}

/** An axis in the unit that is shown. */
export function marksOf(column, scale, count) {
  if (column.options) {
    const step = Math.ceil(column.options.length / 24);
    return column.options.map((_, i) => i).filter((i) => i % step === 0)
      .map((i) => ({at: scale(i), text: cut(column.options[i], 14)}));
  }
  const {factor} = column;
  const [a, b] = scale.domain();
  const shownScale = (column.log && a > 0 ? scaleLog() : scaleLinear()).domain([a / factor, b / factor]);
  let ticks = shownScale.ticks(count);
  if (column.log && ticks.length > count + 2) {
    const tens = ticks.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
    ticks = tens.length >= 2 ? tens : ticks.filter((_, i) => i % Math.ceil(ticks.length / count) === 0);
  }
  return ticks.map((tick) => ({at: scale(tick * factor), text: fewDigits(tick)}));
}

/** Digits that tell a thousandth of the column's extent. */
function digitsOf(column) {
  const size = Math.max(Math.abs(column.low), Math.abs(column.high));
  const extent = column.high - column.low;
  return extent > 0 ? Math.min(15, Math.max(4, Math.ceil(Math.log10(size / extent)) + 4)) : 15;
}

function rounded(value, digits, round) {
  if (value === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) + 1 - digits);
  return Number((round(value / unit) * unit).toPrecision(digits));
}

/** What a hand marked, rounded outwards to numbers that fields can show: in the shown unit. */
export function readableRange(column, a, b) {
  const [least, most] = a <= b ? [a, b] : [b, a];
  if (column.options) {
    const range = [Math.ceil(least), Math.floor(most)];
    return range[0] <= range[1] ? range : [Math.round((least + most) / 2), Math.round((least + most) / 2)];
  }
  const digits = digitsOf(column);
  return [rounded(least / column.factor, digits, Math.floor), rounded(most / column.factor, digits, Math.ceil)];
}

/** A range in the shown unit as the state keeps it; what is missing has no bound. */
export function rangeOf(column, least, most) {
  if (least === null && most === null) return null;
  const factor = column.options ? 1 : column.factor;
  return [least === null ? -Infinity : least * factor, most === null ? Infinity : most * factor];
}

/** The other way round, for the fields. */
export function shownRange(column, range) {
  const factor = column.options ? 1 : column.factor;
  const shown = (value) => (Number.isFinite(value) ? Number((value / factor).toPrecision(15)) : null);
  return range ? range.map(shown) : [null, null];
}
