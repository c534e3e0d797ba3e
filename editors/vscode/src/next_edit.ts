// The edit that follows from the last one: asked for, shown, and the two keys that act on it. Tab jumps to an edit that
// is elsewhere, and makes one that is here; Escape dismisses it.
//
// What must not happen: a key that acts while nothing is shown; an edit for a text that has changed meanwhile; an edit
// after an undo.

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { EditPainter, changedPart } from "./next_edit_painter";
import { EDIT_DISMISSED, EDIT_SHOWN, NEXT_EDIT, type InlineEdit, type InlineEdits } from "./protocol";
import { preferredFix } from "./quick_fixes";
import { SECTION } from "./settings";

/** While it is true, Tab and Escape belong to the edit that is shown (package.json). */
const SHOWING = "sparkLsp.nextEdit";
/** The server's reason for an answer without edits to which a quick fix may be added. */
const NOTHING = "edit.nothing";
/** A pause in the typing after which an edit is asked for. */
const DEBOUNCE_MS = 100;
/** A cursor that moves later than this after an edit asks for nothing. */
const FOLLOW_MS = 10_000;

type Mode = "on" | "subtle" | "off";

interface Shown {
  readonly item: InlineEdit;
  readonly uri: vscode.Uri;
  readonly range: vscode.Range;
  readonly text: string;
  /** Whether the edit itself is shown, and not its mark alone. */
  revealed: boolean;
}

function mode(): Mode {
  const setting = vscode.workspace.getConfiguration(`${SECTION}.edits`);
  return setting.get<boolean>("enabled", true) ? setting.get<Mode>("mode", "on") : "off";
}

export class NextEdits implements vscode.Disposable {
  private readonly painter = new EditPainter();
  private shown: Shown | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private editedMs = 0;
  /** Grows with each question; the answer to an older one is not shown. */
  private question = 0;
  /** Whether a change or a move is this file's own. */
  private acting = false;
  private readonly events: vscode.Disposable[];

  /** `suggesting` says whether a suggestion is on the screen, which comes first. */
  constructor(
    private readonly selector: vscode.DocumentSelector,
    private readonly running: () => LanguageClient | undefined,
    private readonly suggesting: () => boolean,
  ) {
    this.events = [
      vscode.workspace.onDidChangeTextDocument((event) => this.changed(event)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.moved(textEditor)),
      vscode.window.onDidChangeActiveTextEditor(() => {
        if (!this.acting) {
          this.hide();
        }
      }),
      vscode.languages.onDidChangeDiagnostics(({ uris }) => this.diagnosed(uris)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration(`${SECTION}.edits`)) {
          this.hide();
        }
      }),
    ];
  }

  /** Take the edit off the screen, and give the keys back. */
  hide(): void {
    clearTimeout(this.timer);
    this.question++;
    this.painter.clear();
    if (this.shown) {
      this.shown = undefined;
      void vscode.commands.executeCommand("setContext", SHOWING, false);
    }
  }

  /** What Tab does. */
  async accept(): Promise<void> {
    const { shown } = this;
    const editor = vscode.window.activeTextEditor;
    if (!shown || !editor) {
      return;
    }
    const isHere = editor.document.uri.toString() === shown.uri.toString();
    const isThere = isHere && editor.selection.active.line === shown.range.start.line;
    await this.act(() => (isThere && shown.revealed ? this.make(editor, shown) : this.jump(shown)));
  }

  /** What Escape does: the server does not offer the change again. */
  dismiss(): void {
    const item = this.shown?.item;
    this.hide();
    if (item) {
      void this.running()?.sendNotification(EDIT_DISMISSED, { item });
    }
  }

  dispose(): void {
    this.hide();
    this.painter.dispose();
    vscode.Disposable.from(...this.events).dispose();
  }

  private async act(step: () => Promise<void>): Promise<void> {
    this.acting = true;
    try {
      await step();
    } finally {
      this.acting = false;
    }
  }

  private async jump(shown: Shown): Promise<void> {
    const editor = await vscode.window.showTextDocument(shown.uri);
    editor.selection = new vscode.Selection(shown.range.start, shown.range.start);
    editor.revealRange(shown.range, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    shown.revealed = true;
    this.paint(editor, shown);
  }

  private async make(editor: vscode.TextEditor, shown: Shown): Promise<void> {
    const offset = editor.document.offsetAt(shown.range.start);
    this.hide();
    if (!(await editor.edit((builder) => builder.replace(shown.range, shown.text)))) {
      return;
    }
    const after = editor.document.positionAt(offset + shown.text.trimEnd().length);
    editor.selection = new vscode.Selection(after, after);
    this.editedMs = Date.now();
    const { command } = shown.item;
    await this.running()?.sendRequest("workspace/executeCommand", command);
    await this.ask();
  }

  private changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    const isActive = document === vscode.window.activeTextEditor?.document;
    if (
      contentChanges.length === 0 ||
      this.acting ||
      !(isActive || document.uri.toString() === this.shown?.uri.toString())
    ) {
      return;
    }
    this.hide();
    const isWritten = isActive && reason === undefined; // and not brought back by an undo
    this.editedMs = isWritten ? Date.now() : 0;
    if (isWritten) {
      this.askSoon();
    }
  }

  private moved(editor: vscode.TextEditor): void {
    if (this.acting || editor !== vscode.window.activeTextEditor) {
      return;
    }
    if (this.shown) {
      this.paint(editor, this.shown);
    } else if (Date.now() - this.editedMs < FOLLOW_MS) {
      this.askSoon();
    }
  }

  /** A diagnostic comes some time after the edit that it is about, and its fix with it. */
  private diagnosed(uris: readonly vscode.Uri[]): void {
    const active = vscode.window.activeTextEditor?.document.uri.toString();
    const isRecent = Date.now() - this.editedMs < FOLLOW_MS;
    if (!this.shown && isRecent && uris.some((uri) => uri.toString() === active)) {
      this.askSoon();
    }
  }

  private askSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), DEBOUNCE_MS);
  }

  private async ask(): Promise<void> {
    const client = this.running();
    const editor = vscode.window.activeTextEditor;
    if (!client?.isRunning() || !editor || mode() === "off" || !this.mayShow(editor)) {
      return;
    }
    const { document, selection } = editor;
    const { version } = document;
    const question = ++this.question;
    const converter = client.code2ProtocolConverter;
    const textDocument = { ...converter.asTextDocumentIdentifier(document), version };
    const params = { textDocument, position: converter.asPosition(selection.active) };
    const send = (more: object) =>
      client.sendRequest<InlineEdits | null>(NEXT_EDIT, { ...params, ...more }).catch(() => null);
    const isCurrent = () =>
      question === this.question &&
      document.version === version &&
      editor === vscode.window.activeTextEditor &&
      this.mayShow(editor);
    let answer = await send({});
    if (answer?.reason === NOTHING && isCurrent()) {
      const fix = await preferredFix(document, selection.active);
      if (fix && isCurrent()) {
        const edits = fix.edits.map((edit) => converter.asTextEdit(edit));
        answer = await send({ fixes: [{ title: fix.title, edits }] });
      }
    }
    const item = answer?.edits[0];
    if (!item || !isCurrent()) {
      return;
    }
    const uri = client.protocol2CodeConverter.asUri(item.textDocument.uri);
    const range = client.protocol2CodeConverter.asRange(item.range);
    const part = changedPart(await vscode.workspace.openTextDocument(uri), range, item.text);
    if (!isCurrent()) {
      return;
    }
    this.shown = { item, uri, ...part, revealed: mode() === "on" };
    this.paint(editor, this.shown);
    await vscode.commands.executeCommand("setContext", SHOWING, true);
    void client.sendNotification(EDIT_SHOWN, { item });
  }

  /** One cursor without a selection, and no suggestion on the screen. */
  private mayShow({ document, selections }: vscode.TextEditor): boolean {
    const [cursor] = selections;
    const isAlone = selections.length === 1 && cursor?.isEmpty === true;
    return isAlone && !this.suggesting() && vscode.languages.match(this.selector, document) > 0;
  }

  private paint(editor: vscode.TextEditor, shown: Shown): void {
    this.painter.paint(editor, shown.uri, shown.range, shown.text, shown.item.command.title, shown.revealed);
  }
}
