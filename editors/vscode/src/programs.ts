// Programs of the machine: which there are, and what they print.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import * as path from "node:path";

export const WINDOWS = process.platform === "win32";
/** Loading a model and asking it one question, on a slow machine. */
const PATIENCE_MS = 120_000;

export async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, WINDOWS ? constants.F_OK : constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** The folders of PATH. A relative one would be looked up in whatever folder VS Code was started from. */
export function pathFolders(): string[] {
  return (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

/** The first of these names in the first folder that has one. */
export async function findProgram(names: readonly string[], folders: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, WINDOWS ? `${name}.exe` : name);
      if (await isProgram(file)) {
        return file;
      }
    }
  }
  return undefined;
}

/** What a program prints; undefined when it cannot be run. A code other than 0 is no failure: doctor's says "not well". */
export function output(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: PATIENCE_MS, windowsHide: true }, (error, stdout) => {
      const didRun = !error || typeof error.code === "number";
      resolve(didRun ? stdout : undefined);
    });
  });
}
