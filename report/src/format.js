// How numbers and names are shown; the C++ half of it is framework/src/page/html.cpp.

/** Four digits at most: "220.5", "0.01234", "1.2e+9". */
export function fewDigits(value) {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(2).replace(/\.?0+e/, "e");
  return size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

/** A column's value with its unit, or the option it stands for. */
export function shown(column, value) {
  if (!Number.isFinite(value)) return "-";
  if (column.options) return column.options[value] ?? "-";
  const text = fewDigits(value / column.factor);
  return column.unit ? `${text} ${column.unit}` : text;
}

export function labelOf(column) {
  return column.unit ? `${column.label} (${column.unit})` : column.label;
}

/** Names can have hundreds of letters; what is cut stays in the title. */
export function cut(text, most) {
  const letters = [...text];
  return letters.length <= most ? text : letters.slice(0, most - 1).join("") + "…";
}

export function percent(share) {
  return share > 0 && share < 0.005 ? "<1 %" : `${(100 * share).toFixed(0)} %`;
}

/** A cell as the run's own CSV files have it. */
export function csvCell(text) {
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
