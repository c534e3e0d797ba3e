// Read-only pages that show the server's answers as text.

import * as vscode from "vscode";
import type { ContextResult, LogEntry } from "./protocol";

const SCHEME = "spark-page";

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  /** Open a page, or renew the one of that name. */
  async show(name: string, text: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: name });
    this.texts.set(uri.path, text);
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Beside });
  }

  dispose(): void {
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

/** One line per segment of the prompt in its order, then the prompt itself. */
export function contextText(context: ContextResult): string {
  const lines = context.segments.map((segment) => {
    const place = `${segment.path}:${segment.start_line}-${segment.end_line}`;
    const marks = [segment.stable ? "stable" : "fresh", ...(segment.cached ? ["cached"] : [])].join(", ");
    return `${String(segment.tokens).padStart(6)}  ${segment.kind.padEnd(10)} ${place}  ${segment.reason} (${marks})`;
  });
  const prompt = context.prompt ? ["", context.prompt] : [];
  return [`${context.tokens} of ${context.budget} tokens`, "", ...lines, ...prompt].join("\n");
}
