// Folders of runs that never were: with networks of any number, any names, and nothing missing that a
// page needs. Real ones come from the program.
import {mkdirSync, writeFileSync} from "node:fs";
import {join} from "node:path";

/** The same numbers in every run of the tests. */
function* draws(seed) {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
const yaml = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;

function dominates(a, b) {
  return a.every((value, i) => value <= b[i]) && a.some((value, i) => value < b[i]);
}

/**
 * name, networks, metrics (names of objectives, all to be minimised), arch(i) and value(i, k, random)
 * say what there is; feasible(i) whether it keeps the limits.
 */
export function writeRun(folder, {name = "made_up", networks, metrics, arch = (i) => `n${i}`, front = true,
                                  value = (i, k, random) => random, feasible = () => true, reason = () => ""}) {
  mkdirSync(folder, {recursive: true});
  const random = draws(7);
  const rows = Array.from({length: networks}, (_, i) => metrics.map((_, k) => value(i, k, random.next().value)));
  const text = (number) => (Number.isFinite(number) ? String(number) : "");
  const columns = ["network", "point", "arch", "canonical", "valid", "feasible", "reason", ...metrics];
  writeFileSync(join(folder, "candidates.csv"), [columns.map(quoted).join(","), ...rows.map((row, i) =>
    [i + 1, 1, quoted(arch(i)), quoted(arch(i)), true, feasible(i), quoted(reason(i)), ...row.map(text)].join(","))].join("\n") + "\n");
  const kept = rows.map((_, i) => i).filter((i) => feasible(i) && rows[i].every(Number.isFinite));
  // Against a few hundred is front enough for a page.
  const some = kept.slice(0, 300);
  const best = front && some.length ? some.filter((i) => !some.some((j) => dominates(rows[j], rows[i]))) : [];
  const network = (i, indent) => [`arch: ${yaml(arch(i))}`, `feasible: ${feasible(i)}`, `reason: ${yaml(reason(i))}`, "macs: 1000000", "params: 1000",
    "proxies:", ...metrics.map((metric, k) => `  ${yaml(metric)}: ${text(rows[i][k]) || "null"}`), "cost: {}"].map((line) => indent + line).join("\n");
  writeFileSync(join(folder, "result.yaml"), ["points:", '  - row: ""', '    seed: "1"', "    set: {}",
    ...(networks && front ? ["    best:", network(best[0] ?? 0, "      ")] : []), "    quantities: {}",
    ...(best.length ? ["    front:", ...best.map((i) => `      - arch: ${yaml(arch(i))}`)] : ["    front: []"]), "    remarks: []"].join("\n") + "\n");
  writeFileSync(join(folder, "resolved.yaml"), ["# thimble 0.1.0 (revision test)", "# identity 0123456789abcdef", `name: ${yaml(name)}`, "objectives:",
    ...metrics.map((metric) => `  - { minimize: ${yaml(metric)}, weight: 1 }`)].join("\n") + "\n");
  return rows;
}
