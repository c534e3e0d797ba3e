// Judges programs that come as JSON lines {files, entry} on standard input: each answers with what it prints, and with
// what TypeScript's language service (the package in $TYPESCRIPT) says of it under --strict.
"use strict";
const vm = require("vm");
const util = require("util");
const path = require("path");
const ts = process.env.TYPESCRIPT ? require(process.env.TYPESCRIPT) : null;

const isTyped = (name) => /\.tsx?$/.test(name);
let service, current = {}, versions = {}, count = 0;
const options = ts && {
  strict: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, lib: ["lib.es2022.d.ts"], types: [],
  moduleResolution: ts.ModuleResolutionKind.Bundler, jsx: ts.JsxEmit.React, jsxFactory: "h", jsxFragmentFactory: "F", skipLibCheck: true,
  moduleDetection: ts.ModuleDetectionKind.Force, noEmit: true, useDefineForClassFields: true, experimentalDecorators: false,
};
const libs = new Map();
function host() {
  const real = path.dirname(require.resolve(process.env.TYPESCRIPT));
  const read = (name) => {
    const own = path.basename(name);
    if (name.startsWith("/w/")) return current[name.slice(3)];
    if (!libs.has(own)) libs.set(own, ts.sys.readFile(path.join(real, own)));
    return libs.get(own);
  };
  return {
    getScriptFileNames: () => ["/w/__say.d.ts", ...Object.keys(current).filter(isTyped).map((n) => "/w/" + n)],
    getScriptVersion: (name) => name.startsWith("/w/") ? String(versions[name.slice(3)] ?? 0) : "0",
    getScriptSnapshot: (name) => { const t = read(name); return t === undefined ? undefined : ts.ScriptSnapshot.fromString(t); },
    getCurrentDirectory: () => "/w", getCompilationSettings: () => options,
    getDefaultLibFileName: () => "/lib/lib.es2022.d.ts",
    fileExists: (name) => name.startsWith("/w/") ? name.slice(3) in current : read(name) !== undefined,
    readFile: read, directoryExists: () => true, getDirectories: () => [],
  };
}
const DECLARED = "declare const console: { log(...a: unknown[]): void };\ndeclare function setImmediate(f: () => void): void;";
function diagnostics(files) {
  current = { ...files, "__say.d.ts": DECLARED };
  versions = {};
  count += 1;
  for (const n of Object.keys(files)) versions[n] = count;
  service ??= ts.createLanguageService(host(), ts.createDocumentRegistry());
  const found = [];
  for (const n of Object.keys(files).filter(isTyped)) {
    for (const d of [...service.getSyntacticDiagnostics("/w/" + n), ...service.getSemanticDiagnostics("/w/" + n)])
      found.push(`${n}:${d.file ? d.file.getLineAndCharacterOfPosition(d.start).line + 1 : 0}: TS${d.code} ${ts.flattenDiagnosticMessageText(d.messageText, " ")}`);
  }
  return found;
}
async function run(files, entry) {
  const log = [];
  const console_ = { log: (...a) => log.push(util.format(...a)) };
  const sandbox = { console: console_, setImmediate, setTimeout, structuredClone };
  sandbox.globalThis = undefined;
  delete sandbox.globalThis;
  const context = vm.createContext(sandbox);
  const emitted = {};
  for (const [n, t] of Object.entries(files))
    emitted[n] = isTyped(n) ? ts.transpileModule(t, { fileName: n, compilerOptions: { ...options, noEmit: false } }).outputText
      : /\.jsx$/.test(n) ? ts.transpileModule(t, { fileName: n, compilerOptions: { ...options, noEmit: false, allowJs: true } }).outputText : t;
  try {
    if (/\.cjs$/.test(entry)) {
      const cache = {};
      const load = (n) => {
        if (cache[n]) return cache[n].exports;
        const module = (cache[n] = { exports: {} });
        const f = vm.runInContext(`(function (module, exports, require) {${emitted[n]}\n})`, context, { timeout: 2000 });
        f.call(module.exports, module, module.exports, (s) => load(s.replace("./", "")));
        return module.exports;
      };
      load(entry);
    } else if (/\.script\.js$/.test(entry)) {
      vm.runInContext(emitted[entry], context, { timeout: 2000 });
    } else {
      const made = {};
      const get = (spec) => {
        let n = spec.replace("./", "");
        if (!(n in emitted)) n = Object.keys(emitted).find((k) => k.replace(/\.\w+$/, "") === n.replace(/\.\w+$/, ""));
        return (made[n] ??= new vm.SourceTextModule(emitted[n], { context, identifier: n, importModuleDynamically: async (s) => { const m = get(s); if (m.status === "unlinked") await m.link(get); await m.evaluate(); return m; } }));
      };
      const main = get(entry);
      await main.link(get);
      await main.evaluate({ timeout: 2000 });
    }
  } catch (error) {
    log.push("!! " + (error && error.name) );
  }
  await new Promise((r) => setImmediate(() => setImmediate(() => setImmediate(r))));
  return log;
}
process.on("unhandledRejection", () => {});
(async () => {
  for await (const line of require("readline").createInterface({ input: process.stdin })) {
    const { files, entry } = JSON.parse(line);
    const log = await run(files, entry);
    const errors = Object.keys(files).some(isTyped) ? diagnostics(files) : [];
    process.stdout.write(JSON.stringify({ log, errors }) + "\n");
  }
})();
