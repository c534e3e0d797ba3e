// Which program is the server. A program out of the workspace is started only where the user trusts the workspace.

import * as path from "node:path";
import * as vscode from "vscode";
import { WINDOWS, findProgram, isProgram, pathFolders } from "./programs";

const PROGRAM = "spark-lsp";
export const VENV_BIN = WINDOWS ? "Scripts" : "bin";

export type Located =
  | { readonly found: true; readonly program: string; readonly extraArgs: string[] }
  | { readonly found: false; readonly message: string; readonly canInstall: boolean };

/** Where "Install Server" puts it. */
export function ownEnvironment(storage: vscode.Uri): string {
  return path.join(storage.fsPath, "server");
}

function workspaceFolders(): string[] {
  if (!vscode.workspace.isTrusted) {
    return [];
  }
  return (vscode.workspace.workspaceFolders ?? [])
    .filter((folder) => folder.uri.scheme === "file")
    .map((folder) => path.join(folder.uri.fsPath, ".venv", VENV_BIN));
}

/** The setting, then `PATH`, then what this extension installed, then the workspace's own `.venv`. */
export async function locateServer(storage: vscode.Uri): Promise<Located> {
  const configuration = vscode.workspace.getConfiguration("spark.server");
  const configured = configuration.get<string>("path", "").trim();
  const extraArgs = configuration.get<string[]>("extraArgs", []);
  if (configured !== "") {
    return (await isProgram(configured))
      ? { found: true, program: configured, extraArgs }
      : {
          found: false,
          message: `Spark LSP: the setting spark.server.path names no program: ${configured}`,
          canInstall: false,
        };
  }
  const folders = [...pathFolders(), path.join(ownEnvironment(storage), VENV_BIN), ...workspaceFolders()];
  const program = await findProgram([PROGRAM], folders);
  if (program !== undefined) {
    return { found: true, program, extraArgs };
  }
  const where = vscode.workspace.isTrusted ? "on PATH or in the workspace's .venv" : "on PATH";
  return { found: false, message: `Spark LSP: there is no server yet: no ${PROGRAM} ${where}.`, canInstall: true };
}
