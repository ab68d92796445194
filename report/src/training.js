// Curves of trainings, and what pruning and integers cost.
import {curves, seriesLegend, styleOf} from "./curves.js";
import {h} from "./dom.js";

/** What a row is of: a network, on its data where there are several. */
function nameOf(table, i) {
  return `network ${table.network[i]}${table.dataset ? `, ${table.dataset[i]}` : ""}`;
}

function namesIn(table) {
  return [...new Set(table.network.map((_, i) => nameOf(table, i)))];
}

/** One line a training, one colour a network; the epochs of integers come behind those of floats. */
function lines(history, name) {
  const names = namesIn(history);
  const trainings = new Map();
  history.network.forEach((_, i) => {
    const own = nameOf(history, i), key = `${own} ${history.seed[i]}`;
    if (!trainings.has(key)) trainings.set(key, {name: own, style: styleOf(names.indexOf(own)), points: [], before: 0, last: 0});
    const training = trainings.get(key);
    if (history.epoch[i] <= training.last) training.before += training.last;
    training.last = history.epoch[i];
    training.points.push([training.before + training.last, history[name][i] ?? NaN]);
  });
  return [...trainings.values()].filter(({points}) => points.some(([, y]) => Number.isFinite(y)));
}

/** float -> pruned -> int8, a line a network (mean over its seeds). */
function steps(trained) {
  const forms = Object.keys(trained).filter((name) => /^(float|narrow|pruned|int8)_/.test(name));
  const metrics = [...new Set(forms.map((name) => name.slice(name.indexOf("_") + 1)))];
  return metrics.map((metric) => {
    const own = forms.filter((name) => name.endsWith(`_${metric}`) && name.split("_")[0] !== "narrow");
    if (own.length < 2) return null;
    const mean = (of, name) => {
      const values = trained[name].filter((value, i) => nameOf(trained, i) === of && value !== null);
      return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
    };
    return curves({xName: "form of the network", names: own.map((name) => name.split("_")[0]), yName: `${metric} on the test part`,
      series: namesIn(trained).map((of, i) => ({name: of, style: styleOf(i), points: own.map((name, k) => [k + 1, mean(of, name)])}))});
  });
}

export function training(data, root) {
  const {history, trained} = data.tables;
  if (!root || !history || !history.network) return;
  const metric = Object.keys(trained ?? {}).map((name) => name.match(/^(?:float|narrow|pruned|int8)_(.*)/)?.[1]).find(Boolean) ?? "first metric";
  const pictures = [["train_loss", "loss of what is learned from"], ["train_metric", `${metric} of what is learned from`],
                    ["validation_metric", `${metric} of the validation part`]]
    .map(([name, words]) => curves({series: lines(history, name), xName: "epoch", yName: words}));
  root.append(seriesLegend(namesIn(history).map((name, i) => ({name, style: styleOf(i)}))),
    h("div", {class: "pair"}, [...pictures, ...(trained ? steps(trained) : [])].filter(Boolean)));
}
