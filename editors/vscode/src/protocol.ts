// What this extension says to the server beside standard LSP. docs/protocol.md is the other half.

import type { Position, TextDocumentIdentifier } from "vscode-languageclient/node";

export const STATUS = "spark/status";
export const STREAM = "spark/inlineCompletionStream";
export const LOG = "spark/log";
export const CONTEXT = "spark/context";

/** Commands that the server runs for workspace/executeCommand. */
export const COMMAND = {
  pause: "spark.pause",
  resume: "spark.resume",
  restartEngine: "spark.restartEngine",
  unloadModel: "spark.unloadModel",
  rewrite: "spark.rewrite",
} as const;

export interface Status {
  readonly kind: "Normal" | "Error" | "Warning" | "Inactive";
  readonly busy?: boolean;
  readonly message?: string;
  readonly model?: string | null;
  readonly indexed?: { readonly files: number; readonly of: number } | null;
  readonly resident_tokens?: number | null;
}

/** One request in the log. The fields beside `reason` are shown as they come. */
export type LogEntry = { readonly reason?: string } & { readonly [field: string]: unknown };

export interface ContextParams {
  readonly textDocument: TextDocumentIdentifier;
  readonly position: Position;
  readonly prompt: boolean;
}

export interface Segment {
  readonly path: string;
  readonly start_line: number;
  readonly end_line: number;
  readonly tokens: number;
  readonly kind: string;
  readonly reason: string;
  readonly stable: boolean;
  readonly cached: boolean;
}

export interface ContextResult {
  readonly budget: number;
  readonly tokens: number;
  readonly segments: readonly Segment[];
  readonly prompt?: string | null;
}
