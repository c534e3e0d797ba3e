// The item in the status bar: what the server last said about itself.

import * as vscode from "vscode";
import type { Status } from "./protocol";

const ICON = { Normal: "$(zap)", Warning: "$(warning)", Error: "$(error)", Inactive: "$(debug-pause)" } as const;

function facts(status: Status, speed: string): string[] {
  const lines: string[] = [];
  if (status.message) {
    lines.push(status.message);
  }
  if (status.model) {
    lines.push(`Model: ${status.model}${status.why ? `. ${status.why}` : ""}`);
  }
  if (status.resident_tokens) {
    lines.push(`Cached: ${status.resident_tokens.toLocaleString("en")} tokens`);
  }
  if (status.indexed) {
    lines.push(`Indexed: ${status.indexed.files} of ${status.indexed.of} files`);
  }
  return speed ? [...lines, `Last answer: ${speed}`] : lines;
}

function label(status: Status): string {
  const icon = status.busy ? "$(sync~spin)" : ICON[status.kind];
  const indexed = status.indexed;
  const indexing = indexed && indexed.files < indexed.of ? ` ${indexed.files}/${indexed.of}` : "";
  return `${icon} Spark${indexing}`;
}

const STARTING: Status = { kind: "Inactive", busy: true, message: "Starting." };

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private status = STARTING;
  private speed = "";

  constructor() {
    this.item = vscode.window.createStatusBarItem("sparkLsp.status", vscode.StatusBarAlignment.Right, 100);
    this.item.name = "Spark LSP";
    this.item.command = "sparkLsp.menu";
    this.draw();
    this.item.show();
  }

  get paused(): boolean {
    return this.status.kind === "Inactive";
  }

  /** The server runs, and may not have said anything of itself yet. */
  started(): void {
    if (this.status === STARTING) {
      this.show({ kind: "Normal", message: "Running." });
    }
  }

  starting(): void {
    this.show(STARTING);
  }

  show(status: Status): void {
    this.status = status;
    this.draw();
  }

  /** How fast the last answer was, in words. */
  showSpeed(speed: string): void {
    this.speed = speed;
    this.draw();
  }

  dispose(): void {
    this.item.dispose();
  }

  private draw(): void {
    const { kind } = this.status;
    this.item.text = label(this.status);
    this.item.tooltip = ["Spark LSP", ...facts(this.status, this.speed)].join("\n");
    this.item.backgroundColor = kind === "Error" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  }
}
