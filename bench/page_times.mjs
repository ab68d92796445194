// How long a browser takes for a run's page: first draw, and a step of a brush.
//
//   node bench/page_times.mjs [THIMBLE] [MODULES]
//
// THIMBLE is build/release/bin/thimble, MODULES the folder that scripts/fetch-browser filled.
import {execFileSync} from "node:child_process";
import {mkdtempSync, rmSync, statSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {join, resolve} from "node:path";
import {writeRun} from "../tests/browser/runs.mjs";

const [thimble = "build/release/bin/thimble", modules = "data/browser"] = process.argv.slice(2).map((path) => resolve(path));
const {chromium} = createRequire(join(resolve(modules), "package.json"))("playwright-core");
const work = mkdtempSync(join(tmpdir(), "thimble-page-times-"));
const browser = await chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"]});
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

for (const networks of [2000, 16000]) {
  const folder = join(work, String(networks));
  writeRun(folder, {networks, metrics: Array.from({length: 8}, (_, i) => `m${i}`), arch: (i) => `|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|${i}|`});
  execFileSync(resolve(thimble), ["report", folder], {stdio: "ignore"});
  const draws = [], steps = [];
  for (let round = 0; round < 5; ++round) {
    const page = await browser.newPage({viewport: {width: 1280, height: 900}});
    await page.goto(`file://${folder}/report.html`);
    draws.push(await page.evaluate(() => window.thimble.drawn));
    steps.push(...(await page.evaluate(async () => {
      const {state} = window.thimble, times = [];
      for (let i = 1; i <= 9; ++i) {
        const start = performance.now();
        state.keep([[state.columns[0], [0, i / 10]]]);
        times.push(performance.now() - start);
        await new Promise((drawn) => requestAnimationFrame(drawn));
      }
      return times;
    })));
    await page.close();
  }
  const size = statSync(join(folder, "report.html")).size;
  console.log(`${networks} networks: page ${(size / 1e6).toFixed(2)} MB, first draw ${median(draws).toFixed(0)} ms after navigation, brush step ${median(steps).toFixed(1)} ms (most ${Math.max(...steps).toFixed(1)})`);
}
await browser.close();
rmSync(work, {recursive: true, force: true});
