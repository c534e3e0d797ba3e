// What the server tells of its work: the log and the diagnosis as text, the context as a page.

import * as vscode from "vscode";
import type { Diagnosis, LogEntry } from "./protocol";

const SCHEME = "spark-page";
const MARK: Readonly<Record<string, string>> = { ok: "ok  ", warn: "warn", fail: "FAIL" };

/** Only our own style sheets, no script, nothing from any network. */
const POLICY =
  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">";
/** The server's page knows light and dark; here it follows the user's theme. */
const THEME = `<style>
body { --ink: var(--vscode-editor-foreground); --paper: var(--vscode-editor-background); }
body { --line: var(--vscode-widget-border, #8884); padding: 0; }
body.vscode-light { --stable: #a6d8a8; --volatile: #ffd08a; --local: #b9cdf5; color-scheme: light; }
body.vscode-dark { --stable: #2f6b3a; --volatile: #8a5a12; --local: #2f4a80; color-scheme: dark; }
pre { font-family: var(--vscode-editor-font-family); }
</style>`;

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  private panel: vscode.WebviewPanel | undefined;
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Open a page of text, or renew the one of that name. */
  async show(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: name });
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Beside });
  }

  /** Show a page of the server beside the editor, which keeps the cursor; one page, renewed each time. */
  showHtml(title: string, html: string): void {
    const where = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    if (!this.panel) {
      const options = { enableScripts: false, enableFindWidget: true, localResourceRoots: [] };
      this.panel = vscode.window.createWebviewPanel("sparkLsp.context", title, where, options);
      this.panel.onDidDispose(() => (this.panel = undefined));
    }
    this.panel.title = title;
    this.panel.webview.html = html.replace("<style>", `${POLICY}<style>`).replace("</style>", `</style>${THEME}`);
    this.panel.reveal(where.viewColumn, where.preserveFocus);
  }

  dispose(): void {
    this.panel?.dispose();
    this.registration.dispose();
    this.changed.dispose();
  }
}

/** One line per request, its reason first. Fields that the server adds later appear by themselves. */
export function logText(entries: readonly LogEntry[]): string {
  const lines = entries.map(({ reason, ...fields }) => {
    const shown = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return [(reason ?? "").padEnd(16), ...shown].join(" ");
  });
  return lines.length > 0 ? lines.join("\n") : "No request yet.";
}

/** One line per check, and under it what to do where there is something to do. */
export function diagnosisText({ ok, checks }: Diagnosis): string {
  const lines = checks.flatMap(({ name, status, detail, fix }) => [
    `${MARK[status] ?? status}  ${name.padEnd(12)}  ${detail}`,
    ...(fix ? [`${" ".repeat(20)}${fix}`] : []),
  ]);
  return [ok ? "Everything that is needed works." : "Something that is needed does not work.", "", ...lines].join("\n");
}
