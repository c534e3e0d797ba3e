// The commands of the palette and of the status bar's menu: one row each. Their identifiers differ from the server's,
// which the language client registers under their own names while the server runs. The code actions' commands follow
// from the server's catalogue: scripts/generate.py writes them into package.json.

import * as vscode from "vscode";
import { Pages, diagnosisText, logText } from "./pages";
import {
  COMMAND,
  CONTEXT,
  LOG,
  type ContextParams,
  type ContextResult,
  type Diagnosis,
  type LogEntry,
  type Model,
} from "./protocol";
import type { Session } from "./session";
import type { StatusItem } from "./status";

interface Row {
  readonly id: string;
  /** What the menu says; a row without it is not in the menu. */
  readonly label?: string;
  /** Whether it is in the menu now. */
  readonly when?: () => boolean;
  readonly run: () => Promise<unknown>;
}

async function showLog(session: Session, pages: Pages): Promise<void> {
  const entries = await session.request<LogEntry[] | { requests: LogEntry[] }>(LOG, {});
  if (entries !== undefined) {
    await pages.show("Spark Request Log", logText(Array.isArray(entries) ? entries : entries.requests));
  }
}

async function copyLog(session: Session): Promise<void> {
  const entries = await session.request<{ requests: LogEntry[] }>(LOG, {});
  if (entries !== undefined) {
    await vscode.env.clipboard.writeText(logText(entries.requests));
    void vscode.window.setStatusBarMessage(`Spark LSP: ${entries.requests.length} requests copied.`, 5000);
  }
}

async function showContext(session: Session, pages: Pages): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const place = editor && session.place(editor.document, editor.selection);
  if (!place) {
    void vscode.window.showInformationMessage("Spark LSP: open a file first; the prompt is shown for its cursor.");
    return;
  }
  const params: ContextParams = { textDocument: place.textDocument, position: place.range.end, html: true };
  const context = await session.request<ContextResult | null>(CONTEXT, params);
  if (context?.html) {
    pages.showHtml("Spark Context", context.html);
  } else if (context === null) {
    void vscode.window.showInformationMessage("Spark LSP: the server has not opened this document.");
  }
}

async function showDiagnosis(session: Session, pages: Pages): Promise<void> {
  const options = { location: vscode.ProgressLocation.Notification, title: "Spark LSP: running the doctor" };
  const diagnosis = await vscode.window.withProgress(options, () => session.tell<Diagnosis>("doctor"));
  if (diagnosis) {
    await pages.show("Spark Doctor", diagnosisText(diagnosis));
  }
}

async function pickModel(session: Session): Promise<void> {
  const models = await session.tell<Model[]>("models", "list");
  if (!models) {
    return;
  }
  const setting = vscode.workspace.getConfiguration("spark");
  const current = setting.get<string>("model", "");
  const choices = models.map(({ name, path, size_bytes, summary }) => ({
    label: name,
    description: `${path ? `${(size_bytes / 1e6).toFixed(0)} MB` : "not on this machine"}${name === current ? ", chosen" : ""}`,
    detail: summary,
  }));
  const automatic = { label: "$(sparkle) The best one for this machine", description: current === "" ? "chosen" : "" };
  const file = { label: "$(folder-opened) A GGUF file…", description: "" };
  const picked = await vscode.window.showQuickPick([automatic, ...choices, file], {
    title: "Spark LSP: choose a model",
  });
  let name: string | undefined = picked === automatic ? "" : picked?.label;
  if (picked === file) {
    const chosen = await vscode.window.showOpenDialog({ filters: { "GGUF models": ["gguf"] }, openLabel: "Use Model" });
    name = chosen?.[0]?.fsPath;
  }
  if (name !== undefined && name !== current) {
    await setting.update("model", name || undefined, vscode.ConfigurationTarget.Global);
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
    prompt: "What should change?",
    placeHolder: "use a generator instead of the list",
  });
  if (instruction) {
    await session.execute(COMMAND.rewrite, [place.textDocument.uri, place.range, instruction]);
  }
}

function rows(session: Session, pages: Pages, status: StatusItem): Row[] {
  const paused = () => status.paused;
  const running = () => !status.paused;
  return [
    {
      id: "pause",
      label: "$(debug-pause) Pause suggestions",
      when: running,
      run: () => session.execute(COMMAND.pause),
    },
    { id: "resume", label: "$(play) Resume suggestions", when: paused, run: () => session.execute(COMMAND.resume) },
    { id: "showContext", label: "$(list-tree) Show context at cursor", run: () => showContext(session, pages) },
    { id: "showLog", label: "$(history) Show request log", run: () => showLog(session, pages) },
    { id: "copyLog", run: () => copyLog(session) },
    { id: "pickModel", label: "$(package) Choose model", run: () => pickModel(session) },
    { id: "unloadModel", label: "$(trash) Unload model", run: () => session.execute(COMMAND.unloadModel) },
    {
      id: "restartEngine",
      label: "$(debug-restart) Restart engine",
      run: () => session.execute(COMMAND.restartEngine),
    },
    { id: "restartServer", label: "$(refresh) Restart server", run: () => session.restart() },
    { id: "reindex", label: "$(database) Rebuild index", run: () => session.execute(COMMAND.reindex) },
    { id: "doctor", label: "$(pulse) Run doctor", run: () => showDiagnosis(session, pages) },
    { id: "showOutput", label: "$(output) Show server output", run: async () => session.output.show() },
    { id: "installServer", run: () => session.install() },
    { id: "rewrite", run: () => rewrite(session) },
    { id: "dismiss", run: () => session.ghostText.dismiss() },
    { id: "acceptNextEdit", run: () => session.nextEdits.accept() },
    { id: "dismissNextEdit", run: async () => session.nextEdits.dismiss() },
  ];
}

/** Each code action by its own command: VS Code asks the server what applies here and takes that one. */
function actionRows(manifest: { readonly sparkActions?: Readonly<Record<string, string>> }): Row[] {
  return Object.entries(manifest.sparkActions ?? {}).map(([id, kind]) => ({
    id: `action.${id}`,
    run: async () => vscode.commands.executeCommand("editor.action.codeAction", { kind, apply: "ifSingle" }),
  }));
}

async function menu(table: readonly Row[]): Promise<void> {
  const offered = table.filter(({ when }) => when?.() ?? true);
  const choices = offered.flatMap(({ label, run }) => (label === undefined ? [] : [{ label, run }]));
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

export function registerCommands(
  extension: vscode.Extension<unknown>,
  session: Session,
  pages: Pages,
  status: StatusItem,
): vscode.Disposable[] {
  const table = rows(session, pages, status);
  const actions = actionRows(extension.packageJSON as { sparkActions?: Record<string, string> });
  const all: Row[] = [...table, ...actions, { id: "menu", run: () => menu(table) }];
  return all.map(({ id, run }) => vscode.commands.registerCommand(`sparkLsp.${id}`, () => guarded(run)));
}
