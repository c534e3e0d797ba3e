// One text that grows while the model writes, and the place that it is written at. Values of a stream are cumulative; a
// user who types what the text says goes on with the rest of it. A question by hand ends with several texts, the further
// ones behind the first: VS Code asks so itself when its user turns to the next suggestion.
//
// What must not happen: a shown text is replaced by a different one; a stream runs on that nobody waits for.

import * as vscode from "vscode";
import { LSPErrorCodes, ProgressType, ResponseError, type LanguageClient } from "vscode-languageclient/node";
import { STREAM, type StreamItem, type StreamValue } from "./protocol";

const METHOD_NOT_FOUND = -32601;
const PARTIAL = new ProgressType<StreamValue>();

let streams = 0;

/** How much of the cursor's line an item replaces, an auto-closed bracket for example. */
function replacedLength({ range }: StreamItem): number {
  return range ? Math.max(0, range.end.character - range.start.character) : 0;
}

/** One stream and the place that it writes at. */
export class Growth implements vscode.Disposable {
  /** What the user has typed at the place since the question. */
  private typed = "";
  /** The text so far, and behind it the further candidates once the stream has ended. */
  private all: readonly StreamItem[] = [];
  private sequence = -1;
  private ended = false;
  private wake: () => void = () => undefined;
  private readonly source = new vscode.CancellationTokenSource();
  private readonly offset: number;

  constructor(
    private readonly client: LanguageClient,
    readonly document: vscode.TextDocument,
    private readonly origin: vscode.Position,
    private readonly grown: () => void,
    /** Whether the user asked, rather than typed. */
    readonly byHand: boolean,
    /** Whether the user looks at a text already and wants another one: then only the whole answer is of use. */
    private readonly turning: boolean,
  ) {
    this.offset = document.offsetAt(origin);
  }

  /** Ask; false when the server has no such method. */
  async run(context: vscode.InlineCompletionContext): Promise<boolean> {
    const token = `spark-stream-${++streams}`;
    const progress = this.client.onProgress(PARTIAL, token, (value) => this.take(value.sequence, value.items[0]));
    const params = this.client.code2ProtocolConverter.asInlineCompletionParams(this.document, this.origin, context);
    try {
      const request = { ...params, partialResultToken: token };
      const last = await this.client.sendRequest<{ items: StreamItem[] }>(STREAM, request, this.source.token);
      this.finish(last.items);
      return true;
    } catch (error) {
      if (error instanceof ResponseError && error.code === METHOD_NOT_FOUND) {
        return false;
      }
      // The next key cancels, as it should.
      if (error instanceof ResponseError && error.code !== LSPErrorCodes.RequestCancelled) {
        this.client.debug(`${STREAM}: ${error.message}`);
      }
      return true;
    } finally {
      progress.dispose();
    }
  }

  /** Nothing more comes. */
  close(): void {
    this.ended = true;
    this.wake();
  }

  /** Follow a change of a document; false when the text can no longer be written there. */
  follow(event: vscode.TextDocumentChangeEvent): boolean {
    if (event.document !== this.document) {
      return true;
    }
    for (const { rangeOffset, rangeLength, text } of event.contentChanges) {
      if (rangeOffset !== this.offset + this.typed.length || rangeLength !== this.replacedBy(text)) {
        return false;
      }
      this.typed += text;
    }
    return this.agrees();
  }

  /** Whether a question at this place is one for the rest of this text. */
  fits(document: vscode.TextDocument, position: vscode.Position): boolean {
    const here = document === this.document && document.offsetAt(position) === this.offset + this.typed.length;
    return here && !this.source.token.isCancellationRequested && this.agrees() && (!this.ended || this.rest() !== "");
  }

  /** Wait until there is something to show, or nothing more to come. */
  async ready(token: vscode.CancellationToken): Promise<void> {
    while (!this.ended && (this.turning || !this.rest()) && !token.isCancellationRequested) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        token.onCancellationRequested(() => resolve());
      });
    }
  }

  /** What is to be shown at the cursor now. */
  items(position: vscode.Position): vscode.InlineCompletionItem[] {
    return this.fitting().map((item) => {
      const range = new vscode.Range(position, position.translate(0, replacedLength(item)));
      const command = item.command && this.client.protocol2CodeConverter.asCommand(item.command);
      return new vscode.InlineCompletionItem(item.insertText.slice(this.typed.length), range, command);
    });
  }

  /** The whole of the first text that is to be shown; undefined before there is one. */
  get whole(): StreamItem | undefined {
    return this.fitting()[0] ?? this.all[0];
  }

  /** All texts so far; it changes when there is something new to look at. */
  get state(): string {
    return this.all.map(({ insertText }) => insertText).join("\0");
  }

  dispose(): void {
    this.source.cancel();
    this.ended = true;
    this.wake();
  }

  private take(sequence: number, item: StreamItem | undefined): void {
    // Values are cumulative, so one that comes late is dropped; so is one that would change what is on the screen.
    if (this.ended || !item || sequence <= this.sequence || !item.insertText.startsWith(this.text)) {
      return;
    }
    this.sequence = sequence;
    this.put([item]);
  }

  /** The final answer is the server's word, and may be shorter than what was shown. */
  private finish(items: readonly StreamItem[]): void {
    if (this.ended) {
      return;
    }
    this.ended = true;
    if (items.length > 1 || (items[0] && items[0].insertText !== this.text)) {
      this.put(items);
    } else {
      this.wake();
    }
  }

  private put(items: readonly StreamItem[]): void {
    this.all = items;
    this.wake();
    if (this.agrees()) {
      this.grown();
    } else {
      this.dispose();
    }
  }

  private get text(): string {
    return this.all[0]?.insertText ?? "";
  }

  /** What the user's typing has not ruled out, and is not typed whole. */
  private fitting(): readonly StreamItem[] {
    return this.all.filter(({ insertText }) => insertText.startsWith(this.typed) && insertText !== this.typed);
  }

  private rest(): string {
    return this.fitting()[0]?.insertText.slice(this.typed.length) ?? "";
  }

  /** Accepting replaces what the item covers; typing replaces nothing. */
  private replacedBy(text: string): number {
    const accepted = this.fitting().find(({ insertText }) => insertText === this.typed + text);
    return accepted ? replacedLength(accepted) : 0;
  }

  /** Whether what was typed is the beginning of the text, or the text so far the beginning of what was typed. */
  private agrees(): boolean {
    const says = this.all.some(({ insertText }) => insertText.startsWith(this.typed));
    const isAhead = !this.ended && this.text !== "" && this.typed.startsWith(this.text);
    return says || isAhead || this.typed === "";
  }
}
