// Formats the Neovim plugin with StyLua: `node tools/stylua.mjs [--check]`.
// StyLua comes as a library here, because its program is not on npm without a download from elsewhere.
// It reads editors/neovim/stylua.toml, so an editor's own StyLua formats the same way.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as stylua from "@johnnymorganz/stylua";

const PLUGIN = path.resolve(import.meta.dirname, "../../neovim");
/** Settings of stylua.toml that choose one of several words. */
const CHOICES = {
  syntax: stylua.LuaVersion,
  line_endings: stylua.LineEndings,
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
};

/** Each `name = "word"` or `name = 120` of stylua.toml; anything else in it is an error. */
function readSettings() {
  const lines = readFileSync(path.join(PLUGIN, "stylua.toml"), "utf8").split("\n");
  return lines.filter(Boolean).map((line) => {
    const match = /^(\w+) = (?:"(\w+)"|(\d+))$/.exec(line);
    const [, name, word, number] = match ?? [];
    const value = word === undefined ? Number(number) : CHOICES[name]?.[word];
    if (!match || value === undefined) {
      throw new Error(`stylua.toml: this script does not know the line: ${line}`);
    }
    return [name, value];
  });
}

const settings = readSettings();

function format(text) {
  // StyLua takes each configuration once.
  const config = Object.assign(stylua.Config.new(), Object.fromEntries(settings));
  return stylua.formatCode(text, config, undefined, stylua.OutputVerification.Full);
}

const files = readdirSync(PLUGIN, { recursive: true }).filter((name) => name.endsWith(".lua"));
const changed = files.filter((name) => {
  const file = path.join(PLUGIN, name);
  const text = readFileSync(file, "utf8");
  const formatted = format(text);
  if (formatted !== text && !process.argv.includes("--check")) {
    writeFileSync(file, formatted);
  }
  return formatted !== text;
});

if (process.argv.includes("--check")) {
  for (const name of changed) {
    console.error(`editors/neovim/${name}: StyLua would format it; run npm run format`);
  }
  process.exitCode = changed.length > 0 ? 1 : 0;
}
console.log(
  `${files.length} Lua files, ${changed.length} ${process.argv.includes("--check") ? "to format" : "formatted"}`,
);
