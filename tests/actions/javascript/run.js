// Runs programs that come as JSON lines on standard input; each answers with what its run() has logged.
// Every program is a CommonJS module body; a program that throws answers with the error's name.
"use strict";
const vm = require("vm");
const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);

async function outcome(source) {
  const log = [];
  const say = (...values) => log.push(values.map((value) => JSON.stringify(value) ?? String(value)).join(" "));
  const sandbox = { module: { exports: {} }, say, Promise, setImmediate };
  sandbox.exports = sandbox.module.exports;
  try {
    vm.runInNewContext(source, sandbox, { timeout: 2000 });
    const run = sandbox.module.exports.run;
    for (const input of sandbox.module.exports.inputs ?? [[]]) {
      try {
        say("=>", await run(...structuredClone(input)));
      } catch (error) {
        say("!", error && error.name, error && error.message);
      }
    }
  } catch (error) {
    say("!!", error && error.name, error && error.message);
  }
  return log;
}

(async () => {
  for (const line of lines) process.stdout.write(JSON.stringify(await outcome(JSON.parse(line))) + "\n");
})();
