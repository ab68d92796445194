import {agreement} from "./agreement.js";
import {numbers, tools} from "./controls.js";
import {compareRuns} from "./index.js";
import {Matrix} from "./matrix.js";
import {networks} from "./network.js";
import {Parallel} from "./parallel.js";
import {search} from "./search.js";
import {Selection} from "./selection.js";
import {State} from "./state.js";
import {training} from "./training.js";

/** Views that are drawn for a width and for colours are drawn again when these change. */
function redrawWhenNeeded(redraw) {
  let width = window.innerWidth, timer = 0;
  const soon = () => { clearTimeout(timer); timer = setTimeout(redraw, 60); };
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; soon(); } });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // Canvases are as wide as they were drawn; paper is narrower than a screen.
  window.addEventListener("beforeprint", () => { document.body.classList.add("paper"); redraw(); });
  window.addEventListener("afterprint", () => { document.body.classList.remove("paper"); redraw(); });
}

function showRun(data) {
  const state = new State(data);
  const view = (id) => document.querySelector(`#${id} .view`);
  const front = view("front");
  tools(state, front);
  new Parallel(state, front);
  numbers(state, front);
  const matrix = view("matrix");
  if (matrix) new Matrix(state, matrix);  // of one network there is none
  const selection = new Selection(state, view("selection"));
  networks(state, view("network"), view("memory"));
  const later = [() => agreement(state, view("agreement")), () => search(state, view("search")), () => training(data, view("training"))];
  // These are below what is seen first.
  for (const draw of later) setTimeout(draw, 0);
  redrawWhenNeeded(() => state.changed("axes"));
  window.thimble = {state, selection, drawn: performance.now()};  // for tests, and the curious
}

document.documentElement.classList.add("js");
const data = JSON.parse(document.getElementById("data").textContent);
if (document.body.dataset.page === "index") compareRuns(data, document.querySelector("#compare .view"));
else showRun(data);
