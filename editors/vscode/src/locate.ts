// Which program is the server. A program out of the workspace is started only where the user trusts the workspace.

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";

const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "spark-lsp.exe" : "spark-lsp";
const VENV_BIN = WINDOWS ? "Scripts" : "bin";

export type Located =
  | { readonly found: true; readonly program: string; readonly extraArgs: string[] }
  | { readonly found: false; readonly message: string };

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, WINDOWS ? constants.F_OK : constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

async function firstProgram(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const file = path.join(folder, PROGRAM);
    if (await isProgram(file)) {
      return file;
    }
  }
  return undefined;
}

function pathFolders(): string[] {
  // A relative entry would be looked up in whatever folder VS Code was started from.
  return (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

function workspaceFolders(): string[] {
  if (!vscode.workspace.isTrusted) {
    return [];
  }
  return (vscode.workspace.workspaceFolders ?? [])
    .filter((folder) => folder.uri.scheme === "file")
    .map((folder) => path.join(folder.uri.fsPath, ".venv", VENV_BIN));
}

/** The setting, then `PATH`, then the workspace's own `.venv`. */
export async function locateServer(): Promise<Located> {
  const configuration = vscode.workspace.getConfiguration("spark.server");
  const configured = configuration.get<string>("path", "").trim();
  const extraArgs = configuration.get<string[]>("extraArgs", []);
  if (configured !== "") {
    return (await isProgram(configured))
      ? { found: true, program: configured, extraArgs }
      : { found: false, message: `Spark LSP: the setting spark.server.path names no program: ${configured}` };
  }
  const program = (await firstProgram(pathFolders())) ?? (await firstProgram(workspaceFolders()));
  if (program !== undefined) {
    return { found: true, program, extraArgs };
  }
  const where = vscode.workspace.isTrusted ? "on PATH or in the workspace's .venv" : "on PATH";
  return {
    found: false,
    message: `Spark LSP: no ${PROGRAM} ${where}. Install it with "pip install spark-lsp", or name it in the settings.`,
  };
}
