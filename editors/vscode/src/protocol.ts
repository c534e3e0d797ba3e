// What this extension says to the server beside standard LSP. docs/protocol.md is the other half.

import type { Command, Position, Range, TextDocumentIdentifier } from "vscode-languageclient/node";

export const STATUS = "spark/status";
export const STREAM = "spark/inlineCompletionStream";
export const LOG = "spark/log";
export const CONTEXT = "spark/context";
export const FOCUSED = "textDocument/didFocus";
export const SHOWN = "textDocument/didShowCompletion";
export const DISMISSED = "textDocument/didDismissCompletion";
export const NEXT_EDIT = "textDocument/copilotInlineEdit";
export const EDIT_SHOWN = "textDocument/didShowInlineEdit";
export const EDIT_DISMISSED = "textDocument/didDismissInlineEdit";

/** Commands that the server runs for workspace/executeCommand. */
export const COMMAND = {
  pause: "spark.pause",
  resume: "spark.resume",
  reindex: "spark.reindex",
  restartEngine: "spark.restartEngine",
  unloadModel: "spark.unloadModel",
  rewrite: "spark.rewrite",
} as const;

export interface Status {
  readonly kind: "Normal" | "Error" | "Warning" | "Inactive";
  readonly busy?: boolean;
  readonly message?: string;
  readonly model?: string | null;
  readonly why?: string;
  readonly indexed?: { readonly files: number; readonly of: number } | null;
  readonly resident_tokens?: number | null;
}

/** The server never sends snippets. */
export interface StreamItem {
  readonly insertText: string;
  readonly range?: Range;
  readonly command?: Command;
}

/** An edit that follows from the last one; the editor makes it, and runs the command then. */
export interface InlineEdit {
  readonly text: string;
  readonly textDocument: { readonly uri: string; readonly version: number | null };
  readonly range: Range;
  readonly command: Command;
}

export interface InlineEdits {
  readonly edits: readonly InlineEdit[];
  readonly reason?: string;
}

/** A partial result: the whole text so far. */
export interface StreamValue {
  readonly sequence: number;
  readonly items: readonly StreamItem[];
}

/** One request in the log. The fields beside `reason` are shown as they come. */
export type LogEntry = { readonly reason?: string } & Readonly<Record<string, unknown>>;

export interface ContextParams {
  readonly textDocument: TextDocumentIdentifier;
  readonly position: Position;
  readonly html: boolean;
}

export interface ContextResult {
  readonly budget: number;
  readonly tokens: number;
  /** The account as a page; only this extension's own server has it. */
  readonly html?: string;
}

/** What `spark-lsp doctor --json` says. */
export interface Diagnosis {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly status: string;
    readonly detail: string;
    readonly fix: string;
  }[];
}

/** A row of `spark-lsp models list --json`. */
export interface Model {
  readonly name: string;
  readonly path: string | null;
  readonly size_bytes: number;
  readonly summary: string;
}
