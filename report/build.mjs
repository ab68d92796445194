// Bundles src/ into script.inc: a C++ string, and its hash for the page's policy. Also writes
// THIRD-PARTY.txt, the licences of what is in it. Runs where node_modules lies.
import {createHash} from "node:crypto";
import {readFileSync, writeFileSync, readdirSync} from "node:fs";
import {createRequire} from "node:module";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(process.cwd(), "node_modules");
const esbuild = createRequire(join(process.cwd(), "build.mjs"))("esbuild");

/** The packages that files of the bundle belong to. */
function packagesOf(inputs) {
  const found = new Set();
  for (const input of Object.keys(inputs)) {
    const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (match) found.add(match[1]);
  }
  return [...found].sort();
}

/** "name version" of each package above the licence that it shares with others. */
function licences(packages) {
  const byText = new Map();
  for (const name of packages) {
    const folder = join(modules, name);
    const {version} = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence`);
    const text = readFileSync(join(folder, file), "utf8").replace(/\r/g, "").trim();
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version}`]);
  }
  return [...byText].map(([text, names]) => `${names.join(", ")}\n\n${text}\n`).join("\n----\n\n");
}

const result = await esbuild.build({
  absWorkingDir: process.cwd(),
  entryPoints: [join(here, "src", "main.js")],
  nodePaths: [modules],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  write: false,
});
const notice = licences(packagesOf(result.metafile.inputs));
const script = `/*\n${notice}*/\n${result.outputFiles[0].text}`;
for (const ending of [')script"', "</script", "\r"])
  if (script.includes(ending)) throw new Error(`the bundle contains ${JSON.stringify(ending)}`);
const hash = createHash("sha256").update(script, "utf8").digest("base64");
writeFileSync("script.inc", `R"script(${script})script",\n"sha256-${hash}"\n`);
writeFileSync("THIRD-PARTY.txt", notice);
console.log(`script of pages: ${(script.length / 1000).toFixed(0)} kB`);
