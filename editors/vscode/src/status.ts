// The item in the status bar: what the server last said about itself.

import * as vscode from "vscode";
import type { Status } from "./protocol";

const ICON = { Normal: "$(zap)", Warning: "$(warning)", Error: "$(error)", Inactive: "$(debug-pause)" } as const;

function describe(status: Status): string {
  const facts: string[] = [];
  if (status.message) {
    facts.push(status.message);
  }
  if (status.model) {
    facts.push(`Model: ${status.model}`);
  }
  if (status.resident_tokens) {
    facts.push(`Context resident: ${status.resident_tokens.toLocaleString()} tokens`);
  }
  if (status.indexed) {
    facts.push(`Indexed: ${status.indexed.files} of ${status.indexed.of} files`);
  }
  return ["Spark LSP", ...facts].join("\n");
}

function label(status: Status): string {
  const icon = status.busy ? "$(sync~spin)" : ICON[status.kind];
  const indexed = status.indexed;
  const indexing = indexed && indexed.files < indexed.of ? ` ${indexed.files}/${indexed.of}` : "";
  return `${icon} Spark${indexing}`;
}

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  constructor() {
    this.item = vscode.window.createStatusBarItem("sparkLsp.status", vscode.StatusBarAlignment.Right, 100);
    this.item.name = "Spark LSP";
    this.item.command = "sparkLsp.menu";
    this.show({ kind: "Inactive", busy: true, message: "Starting." });
    this.item.show();
  }

  show(status: Status): void {
    this.item.text = label(status);
    this.item.tooltip = describe(status);
    this.item.backgroundColor =
      status.kind === "Error" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}
