// Installs the server into an environment of its own, in this extension's storage. Nothing of the user's Python changes.

import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";
import { VENV_BIN, ownEnvironment } from "./locate";
import { WINDOWS, findProgram, isProgram, output, pathFolders } from "./programs";

const PYTHONS = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"];
const COMPILERS = ["c++", "g++", "clang++"];
const CHECK = "import sys, venv, ensurepip; print((3, 11) <= sys.version_info[:2] < (3, 15))";
/** What pip prints, and what the user reads. */
const PHASES: readonly (readonly [RegExp, string])[] = [
  [/^\s*Collecting (\S+)/, "fetching $1"],
  [/Building wheel for llama[-_]cpp[-_]python/, "compiling llama.cpp, which takes some minutes"],
  [/^\s*\[\s*(\d+)\/(\d+)\]/, "compiling llama.cpp, step $1 of $2"],
  [/^\s*Installing collected packages/, "installing packages"],
];

/** Something that only the user can fix. */
export class Obstacle extends Error {
  constructor(
    message: string,
    readonly setting?: string,
  ) {
    super(message);
  }
}

async function findPython(): Promise<string> {
  const configured = vscode.workspace.getConfiguration("spark.server").get<string>("python", "").trim();
  if (configured !== "") {
    if ((await isProgram(configured)) && (await works(configured))) {
      return configured;
    }
    throw new Obstacle(
      `The setting spark.server.python names no Python 3.11 to 3.14 with the module venv: ${configured}`,
      "spark.server.python",
    );
  }
  for (const name of PYTHONS) {
    const found = await findProgram([name], pathFolders());
    if (found !== undefined && (await works(found))) {
      return found;
    }
  }
  const hint = process.platform === "linux" ? " On Debian and Ubuntu: sudo apt-get install python3 python3-venv." : "";
  throw new Obstacle(
    `Python 3.11 to 3.14 with the module venv is needed, and none is on PATH.${hint}`,
    "spark.server.python",
  );
}

async function works(python: string): Promise<boolean> {
  return (await output(python, ["-c", CHECK]))?.trim() === "True";
}

/** llama.cpp is compiled for this machine. Windows' compiler is on no PATH, so there pip's own message has to do. */
async function checkCompiler(): Promise<void> {
  const configured = process.env["CXX"];
  if (WINDOWS || configured || (await findProgram(COMPILERS, pathFolders())) !== undefined) {
    return;
  }
  const how =
    process.platform === "darwin" ? "xcode-select --install" : "sudo apt-get install g++, or your system's package";
  throw new Obstacle(`A C++ compiler is needed to build llama.cpp, and none is on PATH: ${how}.`);
}

/** What pip installs: with the extra that holds llama.cpp, which only a remote endpoint does without. */
export function requirement(source: string, isRemote: boolean): string {
  if (isRemote || source.includes("[")) {
    return source;
  }
  const isPath = /[\\/]|\.whl$/.test(source);
  return isPath ? `${source}[local]` : source.replace(/^[\w.-]+/, "$&[local]");
}

/** Run a program, every line to the log; reject when it fails or the user stops it. */
function run(
  program: string,
  args: readonly string[],
  log: vscode.LogOutputChannel,
  token: vscode.CancellationToken,
  line: (text: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    log.info([program, ...args].join(" "));
    const child = spawn(program, [...args], {
      windowsHide: true,
      env: { CMAKE_ARGS: "-DLLAVA_BUILD=OFF", ...process.env, PYTHONUNBUFFERED: "1" },
    });
    const stop = token.onCancellationRequested(() => child.kill());
    let last = "";
    const read = (data: Buffer) => {
      for (const text of data
        .toString()
        .split(/\r?\n/)
        .filter((part) => part.trim() !== "")) {
        last = text.trim();
        log.debug(text);
        line(text);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("close", (code) => {
      stop.dispose();
      if (token.isCancellationRequested) {
        reject(new vscode.CancellationError());
      } else if (code === 0) {
        resolve();
      } else {
        reject(new Error(last || `${path.basename(program)} ended with code ${String(code)}`));
      }
    });
  });
}

/** Install or renew the server. A half-made environment does not stay. */
export async function installServer(storage: vscode.Uri, log: vscode.LogOutputChannel): Promise<void> {
  const python = await findPython();
  const isRemote = vscode.workspace.getConfiguration("spark.backend").get<string[]>("urls", []).length > 0;
  if (!isRemote) {
    await checkCompiler();
  }
  const source = vscode.workspace.getConfiguration("spark.server").get<string>("package", "spark-lsp").trim();
  const folder = ownEnvironment(storage);
  const options = { location: vscode.ProgressLocation.Notification, title: "Installing Spark LSP", cancellable: true };
  await vscode.window.withProgress(options, async (progress, token) => {
    const tell = (message: string) => progress.report({ message });
    tell("creating the environment");
    await mkdir(storage.fsPath, { recursive: true });
    try {
      await run(python, ["-m", "venv", "--clear", folder], log, token, () => undefined);
      const pip = ["-m", "pip", "install", "--verbose", "--no-input", "--disable-pip-version-check"];
      const wanted = ["--prefer-binary", requirement(source, isRemote)];
      await run(
        path.join(folder, VENV_BIN, WINDOWS ? "python.exe" : "python"),
        [...pip, ...wanted],
        log,
        token,
        (text) => {
          for (const [pattern, words] of PHASES) {
            const match = pattern.exec(text);
            if (match) {
              tell(words.replace(/\$(\d)/g, (_whole, group: string) => match[Number(group)] ?? ""));
            }
          }
        },
      );
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  });
}
