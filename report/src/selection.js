// The networks that are kept as a table; pinned ones beside each other; what to do with them.
import {breakable, h, keepingFocus} from "./dom.js";
import {csvCell, cut, labelOf, shown} from "./format.js";

const kRows = 200;

export class Selection {
  constructor(state, root) {
    this.state = state;
    this.sort = {column: null, descending: false};
    this.body = h("tbody");
    this.head = h("tr");
    this.note = h("p", {class: "note"});
    this.pinned = h("div");
    this.commands = h("div");
    const save = h("button", {type: "button", onclick: () => this.save()}, "Save as CSV");
    this.root = root;
    root.append(
      h("div", {class: "tools"}, save, this.note), this.pinned, this.commands,
      h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Networks that are kept"},
        h("table", {}, h("caption", {}, "Networks that are kept"), h("thead", {}, this.head), this.body)));
    state.listeners.add((what) => {
      if (what !== "axes") this.fillSoon();
      else this.fill();
      if (what === "pins") this.showPins();
    });
    this.fill();
    this.showPins();
  }

  /** A table of 200 rows takes longer than a brush may: after the pictures. */
  fillSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fill(), 40);
  }

  /** By the column asked for; else what was selected, then the front, then the others. */
  ordered() {
    const {state, sort} = this, places = state.keptPlaces();
    if (!sort.column) {
      const rank = (place) => (state.data.points.some((point) => point.best === place || point.chosen.includes(place)) ? 0 : state.isFront[place] ? 1 : 2);
      const ranks = new Map(places.map((place) => [place, state.marks.has(place) ? rank(place) : 2]));
      return places.sort((a, b) => ranks.get(a) - ranks.get(b) || a - b);
    }
    const {values} = sort.column, sign = sort.descending ? -1 : 1;
    return places.sort((a, b) => {
      const x = values[a], y = values[b];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
      return sign * (x - y) || a - b;
    });
  }

  heading(column) {
    const now = this.sort.column === column;
    const by = () => {
      this.sort = {column, descending: now ? !this.sort.descending : column.better === "more"};
      this.fill();
    };
    return h("th", {scope: "col", class: "number", "aria-sort": now ? (this.sort.descending ? "descending" : "ascending") : "none"},
      h("button", {type: "button", onclick: by, title: column.label}, cut(labelOf(column), 28), now ? (this.sort.descending ? " ↓" : " ↑") : ""));
  }

  fill() { keepingFocus(this.root, () => this.refill()); }

  refill() {
    const {state} = this, columns = state.shownColumns, places = this.ordered();
    this.head.replaceChildren(h("th", {scope: "col"}, "pin"), h("th", {scope: "col"}, "network"),
      ...columns.map((column) => this.heading(column)), h("th", {scope: "col"}, "is"), h("th", {scope: "col"}, "architecture"));
    this.body.replaceChildren(...places.slice(0, kRows).map((place) => this.row(place, columns)));
    this.note.textContent = places.length > kRows ? `The first ${kRows} of ${places.length} are below; the file has all.`
                          : places.length ? "" : "Nothing is kept: let some numbers be larger or smaller.";
  }

  row(place, columns) {
    const {state} = this, number = state.data.number[place];
    const pin = h("input", {type: "checkbox", checked: state.pins.includes(place), "aria-label": `Pin network ${number}`,
      onchange: () => { if (!state.togglePin(place)) pin.checked = false; }});
    return h("tr", {}, h("td", {}, pin), h("th", {scope: "row"}, String(number)),
      columns.map((column) => h("td", {class: "number"}, shown({...column, unit: ""}, column.values[place]))),
      h("td", {}, this.whatIs(place)), h("td", {}, h("code", {title: state.data.arch[place]}, breakable(cut(state.data.arch[place], 90)))));
  }

  whatIs(place) {
    const names = {best: "the one to take", nearest: "nearest to the limits", chosen: "selected", knee: "knee", end: "end", front: "front"};
    const words = (this.state.marks.get(place) ?? []).map((kind) => names[kind]);
    const reason = this.state.data.reasons[place];
    if (reason) words.push(cut(reason, 80));
    return [...new Set(words)].join(", ");
  }

  showPins() {
    const {state} = this, pins = state.pins;
    this.pinned.replaceChildren();
    if (pins.length) {
      const rows = state.columns.filter((column) => pins.some((place) => Number.isFinite(column.values[place])));
      this.pinned.append(h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Pinned networks"},
        h("table", {}, h("caption", {}, "Pinned networks"),
          h("thead", {}, h("tr", {}, h("th", {scope: "col"}, "number"), pins.map((place) =>
            h("th", {scope: "col", class: "number"}, `network ${state.data.number[place]} `,
              h("button", {type: "button", "aria-label": `Unpin network ${state.data.number[place]}`, onclick: () => { state.togglePin(place); this.fill(); }}, "✗"))))),
          h("tbody", {}, rows.map((column) => h("tr", {}, h("th", {scope: "row"}, column.label),
            pins.map((place) => h("td", {class: "number"}, shown(column, column.values[place])))))))));
    }
    const asked = pins.length ? pins : state.data.points.map((point) => point.best).filter((place) => place !== undefined).slice(0, 1);
    this.commands.replaceChildren(...asked.flatMap((place) => this.commandsFor(place)));
  }

  commandsFor(place) {
    const folder = document.getElementById("folder")?.textContent ?? ".";
    const quoted = /^[\w./-]+$/.test(folder) ? folder : `'${folder.replace(/'/g, "'\\''")}'`;
    const named = (verb) => `thimble ${verb} ${quoted} --network ${this.state.data.number[place]}`;
    const deploys = this.trainings(place).map(({dataset, seed}) => named("deploy") + (dataset ? ` --dataset ${dataset}` : "") + (seed ? ` --seed ${seed}` : ""));
    return [...(deploys.length ? deploys : [`${named("deploy")} --drawn`]), named("score")].map((line) => {
      const copy = h("button", {type: "button", onclick: () => this.copy(line, copy)}, "Copy");
      copy.setAttribute("aria-label", `Copy ${line}`);
      return h("p", {class: "copy"}, h("code", {}, line), copy, line.endsWith("--drawn") ? h("span", {class: "note"}, "no weights that were trained: random ones") : null);
    });
  }

  /** Of each dataset that a network was trained on ("" is the only one) the first training that did not fail; its seed where it is not the first. */
  trainings(place) {
    const {number, tables: {trained}} = this.state.data, found = new Map(), failed = new Set();
    trained?.network?.forEach((network, i) => {
      const dataset = trained.dataset?.[i] ?? "";
      if (network !== number[place] || found.has(dataset)) return;
      if (trained.failure?.[i]) failed.add(dataset);
      else found.set(dataset, {dataset, seed: failed.has(dataset) ? trained.seed[i] : null});
    });
    return [...found.values()];
  }

  async copy(text, button) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // pages of the file system may not, in some browsers
      const area = h("textarea", {}, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  /** The rows of candidates.csv, with all numbers of it but errors and origins. */
  csv() {
    const {data} = this.state, names = ["feasible", "beyond", "invalid"];
    const metrics = data.metrics;
    const lines = [["network", "point", "arch", "valid", "feasible", "reason", ...metrics.map(({name}) => csvCell(name))].join(",")];
    for (const place of this.state.keptPlaces()) {
      const state = names[data.state[place]];
      lines.push([data.number[place], data.point[place] + 1, csvCell(data.arch[place]), state !== "invalid", state === "feasible",
        csvCell(data.reasons[place] ?? ""), ...metrics.map(({values}) => values[place] ?? "")].join(","));
    }
    return lines.join("\n") + "\n";
  }

  save() {
    const url = URL.createObjectURL(new Blob([this.csv()], {type: "text/csv"}));
    const link = h("a", {href: url, download: `${this.state.data.name}-kept.csv`});
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
}
