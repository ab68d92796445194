// What a person does with pages, done in a real browser: Debian's chromium, driven by playwright-core.
//
//   node pages_test.mjs THIMBLE MODULES BUNDLER
//
// THIMBLE is the program, MODULES a folder whose node_modules has what package.json names, BUNDLER
// the folder in which the page's script was bundled. Exit code 77: skipped, with the reason.
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {createHash} from "node:crypto";
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {writeRun} from "./runs.mjs";

const [, , thimble, modules, bundler] = process.argv;
const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const skip = (why) => { console.log(`skipped: ${why}`); process.exit(77); };
const browserFile = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!browserFile) skip("there is no chromium: scripts/fetch-browser gets what these tests need");
if (!existsSync(join(modules, "node_modules", "playwright-core"))) skip("there is no playwright-core: scripts/fetch-browser gets it");
if (!existsSync(join(bundler, "THIRD-PARTY.txt"))) skip("thimble was built without npm, so pages have no script");
const require = createRequire(join(modules, "package.json"));
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const work = mkdtempSync(join(tmpdir(), "thimble-pages-"));
const browser = await chromium.launch({executablePath: browserFile, args: ["--no-sandbox", "--disable-gpu"]});
const run = (...words) => execFileSync(thimble, words, {encoding: "utf8", cwd: work, stdio: ["ignore", "pipe", "pipe"]});

/** A page under watch: what it asks of the network and what goes wrong in it. */
async function open(file, {wait = true, ...settings} = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, offline: true, ...settings});
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);  // the machine may have a lot to do
  const seen = {errors: [], requests: []};
  page.on("console", (message) => { if (message.type() === "error") seen.errors.push(message.text()); });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("request", (request) => seen.requests.push(request.url()));
  await page.goto(`file://${file}`);
  if (wait && settings.javaScriptEnabled !== false) {
    const drawn = page.waitForFunction(() => window.thimble || document.querySelector("#compare"));
    await Promise.race([drawn, new Promise((_, fail) => page.on("pageerror", fail))]);
  }
  return {page, seen, close: () => context.close()};
}

/** Nothing was asked of anybody, and nothing went wrong. */
function assertQuiet(seen) {
  assert.deepEqual(seen.errors, []);
  assert.equal(seen.requests.length, 1, `requests: ${seen.requests}`);
}

/** Rows of one of our CSV files as maps. */
function csv(text) {
  const lines = text.trim().split("\n").map((line) => [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(,|$)/g)].slice(0, -1 || undefined).map((match) => match[1]));
  const cells = (line) => line.map((cell) => (cell.startsWith('"') ? cell.slice(1, -1).replace(/""/g, '"') : cell));
  const [header, ...rows] = lines.map(cells);
  return rows.map((row) => Object.fromEntries(header.map((name, i) => [name, row[i]])));
}

const keptText = (page) => page.locator("output.count").textContent();
const keptCount = async (page) => Number((await keptText(page)).match(/^\d+/)[0]);

/** A run of the real program: 40 cells of NAS-Bench-201, costs, two cheap proxies; its folder. */
function realRun() {
  const output = run("run", join(source, "experiments/quickstart.yaml"), "searcher={use: random, samples: 40}", "search_space={use: nasbench201, channels: 4, cells: 1}", "sweep=", "report=",
    "dataset={use: synthetic}", "hardware={use: analytic, board: nucleo_f746zg}", "proxies=[{use: l2_norm}, {use: plain, batch: 4}]",
    "objectives=[{maximize: l2_norm}, {maximize: plain}, {minimize: latency_ms}]", "select={k: 3}", "analysis.figures=false", "--output", "runs", "--quiet");
  return join(work, output.trim().split("\n").pop());
}

/** Runs that never were, by name; their pages are written in one go. */
function madeRuns(cases) {
  const folders = Object.entries(cases).map(([name, made]) => {
    const at = join(work, name.replace(/ /g, "_"));
    writeRun(at, made);
    return at;
  });
  run("report", ...folders);
  return folders;
}
/** An equal run, made when it is first asked for. */
let second;
const equalRun = () => (second ??= realRun());
const folder = realRun(), real = join(folder, "report.html");

const tests = {
  async "is quiet in light, dark, on a narrow screen and on paper"() {
    for (const settings of [{}, {colorScheme: "dark"}, {viewport: {width: 400, height: 800}}]) {
      const {page, seen, close} = await open(real, settings);
      await page.waitForSelector("#search svg");
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= room, `the page is ${wide} wide, the screen ${room}`);
      assertQuiet(seen);
      await close();
    }
    const {page, seen, close} = await open(real);
    const pdf = (await page.pdf({format: "A4"})).toString("latin1");
    assert.ok(pdf.match(/\/Type \/Page\b/g).length >= 2);
    await page.emulateMedia({media: "print"});
    const verdict = await page.locator("#verdict h3").first().boundingBox();
    assert.ok(verdict.y < 900, "the verdict is on the first sheet");
    assertQuiet(seen);
    await close();
  },

  async "keeps the same networks by mouse, by number fields and in the file"() {
    const {page, close} = await open(real, {acceptDownloads: true});
    const axis = page.locator("#parallel g.brush .overlay, #front g.brush .overlay").first();
    await axis.scrollIntoViewIfNeeded();
    const strip = await axis.boundingBox();
    await page.mouse.move(strip.x + strip.width / 2, strip.y + strip.height * 0.1);
    await page.mouse.down();
    await page.mouse.move(strip.x + strip.width / 2, strip.y + strip.height * 0.75, {steps: 6});
    await page.mouse.up();
    const byAxis = await keptCount(page);
    assert.ok(byAxis > 0 && byAxis < 40, `${byAxis} kept by the axis`);
    const cell = page.locator("#matrix g.brush .overlay").last();
    await cell.scrollIntoViewIfNeeded();
    const square = await cell.boundingBox();
    await page.mouse.move(square.x + square.width * 0.05, square.y + square.height * 0.05);
    await page.mouse.down();
    await page.mouse.move(square.x + square.width * 0.8, square.y + square.height * 0.9, {steps: 6});
    await page.mouse.up();
    const byBox = await keptCount(page);
    assert.ok(byBox < byAxis || byBox > 0);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", {name: "Save as CSV"}).click()]);
    const saved = csv(readFileSync(await download.path(), "utf8"));
    assert.equal(saved.length, byBox);

    // The same by hand, in a fresh page, from what the fields say.
    const fields = await page.$$eval("input.range", (inputs) => inputs.map((input) => [input.getAttribute("aria-label"), input.value]).filter(([, value]) => value !== ""));
    assert.ok(fields.length >= 4, `${fields}`);
    const other = await open(real);
    for (const [label, value] of fields) {
      await other.page.getByLabel(label, {exact: true}).fill(value);
      await other.page.keyboard.press("Tab");
    }
    assert.equal(await keptText(other.page), await keptText(page));
    await other.close();

    // The same of the run's own file.
    const unit = {"latency (ms)": ["latency_ms", 1], "RAM (KiB)": ["ram_bytes", 1024], "flash (KiB)": ["rom_bytes", 1024]};
    const limits = fields.map(([label, value]) => {
      const [, which, name] = label.match(/^(Least|Most) (.*)$/), [column, factor] = unit[name] ?? [name, 1];
      return (row) => row[column] !== "" && (which === "Least" ? Number(row[column]) >= Number(value) * factor : Number(row[column]) <= Number(value) * factor);
    });
    const rows = csv(readFileSync(join(folder, "candidates.csv"), "utf8")).filter((row) => limits.every((keeps) => keeps(row)));
    assert.deepEqual(saved.map(({network}) => network), rows.map(({network}) => network));
    for (const [i, row] of saved.entries())
      for (const name of Object.keys(row))
        if (rows[i][name] !== row[name]) assert.equal(Number(row[name]), Number(rows[i][name]), `${name} of network ${row.network}`);
    await close();
  },

  async "shows the numbers of result.yaml, without JavaScript, too"() {
    const result = readFileSync(join(folder, "result.yaml"), "utf8");
    const best = result.slice(result.indexOf("best:"), result.indexOf("quantities:"));
    const numbers = [...best.matchAll(/(?:macs|params|l2_norm|plain|value): ([-\d.e+]+)/g)].map((match) => match[1]);
    assert.ok(numbers.length >= 5);
    for (const javaScriptEnabled of [true, false]) {
      const {page, seen, close} = await open(real, {javaScriptEnabled});
      const shown = await page.locator("#verdict data").evaluateAll((cells) => cells.map((cell) => cell.value));
      for (const number of numbers) assert.ok(shown.includes(number), `${number} is in the verdict (script: ${javaScriptEnabled})`);
      assert.ok(await page.locator("#provenance pre").count());
      if (!javaScriptEnabled) {
        assert.ok(await page.locator("#front svg.front").isVisible());
        assert.ok(await page.locator("#network svg.network").first().isVisible());
        assert.ok(await page.locator("#memory svg.memory").first().isVisible());
        assert.ok(!(await page.locator("#matrix").isVisible()), "what needs the script is not shown");
      }
      assertQuiet(seen);
      await close();
    }
    const number = (await open(real)).page;
    const {arena, network} = await number.evaluate(() => {
      const {data} = window.thimble.state;
      return {arena: data.plans[0].arena, network: data.number[data.plans[0].place]};
    });
    const deployed = run("deploy", folder, "--network", String(network), "--drawn", "--output", "deployed");
    assert.equal(arena, Number(deployed.match(/arena (\d+) bytes/)[1]));
    await number.context().close();
  },

  async "can be used by everybody"() {
    const narrow = {viewport: {width: 400, height: 800}};
    for (const settings of [{colorScheme: "light"}, {colorScheme: "dark"}, narrow]) {
      const {colorScheme} = settings, {page, close} = await open(real, {...settings, bypassCSP: true});
      await page.waitForSelector("#search svg");
      await page.locator('#selection input[type="checkbox"]').first().check();
      await page.evaluate(axe);
      // What differs between the schemes is contrast alone.
      const {violations} = await page.evaluate((rules) => window.axe.run({resultTypes: ["violations"], ...rules}),
        colorScheme === "dark" ? {runOnly: ["color-contrast"]} : {});
      const grave = violations.filter(({impact}) => impact === "serious" || impact === "critical");
      assert.deepEqual(grave.map(({id, nodes}) => `${id}: ${nodes[0].html.slice(0, 160)}`), []);
      await close();
    }
    const {page, close} = await open(real);
    await page.waitForSelector("#search svg");
    const wanted = await page.evaluate(() => {
      const visible = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter((one) => one.checkVisibility() && !one.disabled);
      visible.forEach((one, i) => { one.dataset.stop = i; });
      return visible.length;
    });
    await page.evaluate(() => { window.reached = new Set(); document.addEventListener("focusin", ({target}) => window.reached.add(target.dataset.stop)); });
    for (let i = 0; i < wanted + 5; ++i) await page.keyboard.press("Tab");
    const missed = await page.evaluate(() => [...document.querySelectorAll("[data-stop]")].filter((one) => !window.reached.has(one.dataset.stop)).map((one) => one.outerHTML.slice(0, 120)));
    assert.deepEqual(missed, []);
    await close();
  },

  async "shows a layer in the drawing and in the arena"() {
    const {page, close} = await open(real);
    const layer = page.locator("#network g.layer").nth(3);
    await layer.focus();
    await page.keyboard.press("Enter");
    assert.ok(await layer.locator("rect.now").count());
    assert.ok((await page.locator("#memory rect.now").count()) > 0);
    await close();
  },

  async "copies the command that deploys what is pinned"() {
    const {page, close} = await open(real, {permissions: ["clipboard-read", "clipboard-write"]});
    const row = page.locator("#selection tbody tr").filter({has: page.locator('input[type="checkbox"]')}).nth(1);
    const number = (await row.locator("th").textContent()).trim();
    await row.locator("input").check();
    const line = await page.locator("#selection .copy code").first().textContent();
    assert.equal(line, `thimble deploy ${folder.slice(work.length + 1)} --network ${number} --drawn`);
    run(...line.split(" ").slice(1), "--output", "copied");  // as a person would
    const score = await page.locator("#selection .copy code").nth(1).textContent();
    assert.match(run(...score.split(" ").slice(1)), /macs/);
    await close();
  },

  async "says of the network that is shown what the sentences say"() {
    const {page, close} = await open(real);
    await page.getByLabel("Network to show").selectOption({index: 1});
    const name = await page.getByLabel("Network to show").evaluate((select) => select.selectedOptions[0].text.match(/\d+/)[0]);
    for (const section of ["network", "memory"])
      assert.ok((await page.locator(`#${section} .reading`).textContent()).startsWith(`Network ${name}`), section);
    await close();
  },

  async "keeps the focus where a person works"() {
    const {page, close} = await open(real);
    const sort = page.locator("#selection thead button").first();
    await sort.focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    assert.match(await page.evaluate(() => document.activeElement.closest("th")?.getAttribute("aria-sort") ?? "lost"), /ending$/);
    const pin = page.locator('#selection tbody input[type="checkbox"]').nth(2), label = await pin.getAttribute("aria-label");
    await pin.focus();
    await page.keyboard.press("Space");
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), label);
    await close();
  },

  async "stands what a run may hold"() {
    const hostile = ["</script><script>window.hacked = 1</script>", 'a"b\'c<img src=x onerror="window.hacked=1">', "🧵🪡".repeat(20), "x".repeat(200), "<!-- --> &amp; ]]>"];
    const cases = {
      hostile: {networks: 5, metrics: ["<b>loss</b>", "lat\"ency"], arch: (i) => hostile[i], name: hostile[0], reason: (i) => (i === 2 ? hostile[1] : "")},
      unknown: {networks: 40, metrics: ["a", "b", "never"], value: (i, k, random) => (k === 2 || i % 3 === k ? NaN : random)},
      one: {networks: 1, metrics: ["a", "b"]},
      equal: {networks: 30, metrics: ["a", "b"], value: () => 7},
      "no front": {networks: 20, metrics: ["a", "b"], front: false},
      infeasible: {networks: 20, metrics: ["a", "b"], feasible: () => false, front: false, reason: () => "rom_bytes 666000 of 524288"},
      "one objective": {networks: 20, metrics: ["a"]},
      "twelve objectives": {networks: 300, metrics: Array.from({length: 12}, (_, i) => `objective_${i}`)},
    };
    const folders = madeRuns(cases);
    for (const [i, [name, made]] of Object.entries(cases).entries()) {
      const {page, seen, close} = await open(join(folders[i], "report.html"));
      assert.equal(await keptCount(page), made.networks, name);
      await page.setViewportSize({width: 400, height: 800});
      await page.waitForTimeout(150);  // until it is drawn again
      assert.equal(await page.evaluate(() => window.hacked), undefined);
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= room, `${name}: the page is ${wide} wide, the screen ${room}`);
      assertQuiet(seen);
      await close();
    }
  },

  async "stays within its budget of 16,000 networks"() {
    const [at] = madeRuns({many: {networks: 16000, metrics: Array.from({length: 8}, (_, i) => `m${i}`)}});
    const {page, seen, close} = await open(join(at, "report.html"));
    const slowest = await page.evaluate(async () => {
      const {state} = window.thimble, column = state.columns[0];
      let most = 0;
      for (let i = 1; i <= 5; ++i) {
        const start = performance.now();
        state.keep([[column, [0, 0.1 + i * 0.15]]]);
        most = Math.max(most, performance.now() - start);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return most;
    });
    // Five times the budget: this machine may have other things to do.
    assert.ok(slowest < 1000, `a brush step took ${slowest.toFixed(0)} ms`);
    assertQuiet(seen);
    await close();
  },

  async "has the size that was promised"() {
    const [at] = madeRuns({"two thousand": {networks: 2000, metrics: Array.from({length: 8}, (_, i) => `m${i}`),
                                            arch: (i) => `|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|${i}|`}});
    assert.ok(statSync(join(at, "report.html")).size <= 1.5e6);
    assert.ok(statSync(join(bundler, "script.inc")).size <= 400e3);
  },

  async "is bundled and written the same twice"() {
    const hash = () => createHash("sha256").update(readFileSync(join(bundler, "script.inc"))).digest("hex");
    const before = hash();
    execFileSync(process.execPath, [join(source, "report", "build.mjs")], {cwd: bundler});
    assert.equal(hash(), before);
    const again = equalRun();
    const lasting = (file) => readFileSync(file, "utf8").replace(/<!-- this run -->[^]*<!-- end of this run -->/, "");
    assert.notEqual(again, folder);
    assert.equal(lasting(join(again, "report.html")), lasting(real));
    run("report", folder);
    assert.equal(lasting(real), lasting(join(again, "report.html")), "written again, it is the same");
  },

  async "compares runs"() {
    equalRun();
    run("report", "--index", "runs");
    const {page, seen, close} = await open(join(work, "runs/index.html"));
    const boxes = page.locator("#runs tbody input");
    assert.ok((await boxes.count()) >= 2);
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    assert.ok(await page.locator("#compare svg[role=img]").isVisible());
    assert.ok((await page.locator("#compare svg[role=img] path title").count()) >= 2, "each network of a front has a mark");
    assert.ok(existsSync(join(work, "runs", decodeURI(await page.locator("#runs tbody a").first().getAttribute("href")))));
    assertQuiet(seen);
    await close();
  },
};

let failed = 0;
const wanted = process.argv[5];
for (const [name, test] of Object.entries(tests)) {
  if (wanted && !name.includes(wanted)) continue;
  const start = Date.now();
  try {
    await test();
    console.log(`ok      ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    ++failed;
    console.log(`FAILED  ${name}\n${error.stack ?? error}`);
  }
}
await browser.close();
rmSync(work, {recursive: true, force: true});
process.exit(failed ? 1 : 0);
