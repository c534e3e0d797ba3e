// Entry: puts the parts together.

import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { watchFocus } from "./focus";
import { listenFromTheFirstKey } from "./listen";
import { Pages } from "./pages";
import { SELECTOR, Session } from "./session";
import { SECTION } from "./settings";
import { StatusItem } from "./status";

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const status = new StatusItem();
  const pages = new Pages();
  const current = new Session(context, status);
  session = current;
  context.subscriptions.push(
    status,
    pages,
    current,
    ...registerCommands(context.extension, current, pages, status),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration(`${SECTION}.server`)) {
        await current.restart();
      } else if (event.affectsConfiguration(SECTION)) {
        await current.sendSettings();
      }
    }),
    listenFromTheFirstKey(SELECTOR, current.typing),
    watchFocus((editor) => current.tellFocus(editor)),
    // Trust may bring the workspace's own server into reach.
    vscode.workspace.onDidGrantWorkspaceTrust(() => current.restart()),
  );
  await current.restart();
}

export function deactivate(): Promise<void> | undefined {
  return session?.stop();
}
