// The commands of the palette and of the status bar's menu: one row each. Their identifiers differ from the server's,
// which the language client registers under their own names while the server runs.

import * as vscode from "vscode";
import { Pages, contextText, logText } from "./pages";
import { COMMAND, CONTEXT, LOG, type ContextParams, type ContextResult, type LogEntry } from "./protocol";
import type { Session } from "./session";

interface Row {
  readonly id: string;
  /** What the menu says; a row without it is not in the menu. */
  readonly label?: string;
  readonly run: () => Promise<unknown>;
}

async function showLog(session: Session, pages: Pages): Promise<void> {
  const entries = await session.request<LogEntry[] | { requests: LogEntry[] }>(LOG, {});
  if (entries !== undefined) {
    await pages.show("Spark Request Log", logText(Array.isArray(entries) ? entries : entries.requests));
  }
}

async function showContext(session: Session, pages: Pages): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const place = editor && session.place(editor.document, editor.selection);
  if (!place) {
    return;
  }
  const params: ContextParams = { textDocument: place.textDocument, position: place.range.end, prompt: true };
  const context = await session.request<ContextResult | null>(CONTEXT, params);
  // null: the server does not know this document, a page of another extension for example
  if (context) {
    await pages.show("Spark Context", contextText(context));
  }
}

async function rewrite(session: Session): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const place = editor && session.place(editor.document, editor.selection);
  if (!place) {
    return;
  }
  const instruction = await vscode.window.showInputBox({
    title: "Rewrite the selection",
    prompt: "What shall change?",
    placeHolder: "use a generator instead of the list",
  });
  if (instruction) {
    await session.execute(COMMAND.rewrite, [place.textDocument.uri, place.range, instruction]);
  }
}

function rows(session: Session, pages: Pages): Row[] {
  return [
    { id: "pause", label: "$(debug-pause) Pause suggestions", run: () => session.execute(COMMAND.pause) },
    { id: "resume", label: "$(play) Resume suggestions", run: () => session.execute(COMMAND.resume) },
    { id: "showContext", label: "$(list-tree) Show context at cursor", run: () => showContext(session, pages) },
    { id: "showLog", label: "$(history) Show request log", run: () => showLog(session, pages) },
    { id: "unloadModel", label: "$(trash) Unload model", run: () => session.execute(COMMAND.unloadModel) },
    { id: "restartEngine", label: "$(debug-restart) Restart engine", run: () => session.execute(COMMAND.restartEngine) },
    { id: "restartServer", label: "$(refresh) Restart server", run: () => session.restart() },
    { id: "showOutput", label: "$(output) Show server output", run: async () => session.output.show() },
    { id: "rewrite", run: () => rewrite(session) },
  ];
}

async function menu(table: readonly Row[]): Promise<void> {
  const choices = table.flatMap(({ label, run }) => (label === undefined ? [] : [{ label, run }]));
  const choice = await vscode.window.showQuickPick(choices, { title: "Spark LSP" });
  await choice?.run();
}

/** An error in a command is shown to the user, whose wish it was. */
async function guarded(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    void vscode.window.showErrorMessage(`Spark LSP: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function registerCommands(session: Session, pages: Pages): vscode.Disposable[] {
  const table = rows(session, pages);
  const all: Row[] = [...table, { id: "menu", run: () => menu(table) }];
  return all.map(({ id, run }) => vscode.commands.registerCommand(`sparkLsp.${id}`, () => guarded(run)));
}
