// A next edit on the screen, with what every VS Code has: the text that goes is struck, the text that comes stands behind
// it, and the cursor's line says where the edit is when that is another line.

import * as vscode from "vscode";

/** Longer texts are shown whole on hovering. */
const MAX_SHOWN_CHARACTERS = 120;
const WORD = /[\p{L}\p{N}_]/u;

interface Part {
  readonly range: vscode.Range;
  readonly text: string;
}

/** Leave out what both texts begin and end with, by whole words, so that only what differs is marked. */
export function changedPart(document: vscode.TextDocument, range: vscode.Range, text: string): Part {
  const old = document.getText(range);
  const fresh = document.eol === vscode.EndOfLine.CRLF ? text.replace(/\r?\n/g, "\r\n") : text;
  const most = Math.min(old.length, fresh.length);
  let before = 0;
  while (before < most && old[before] === fresh[before]) {
    before++;
  }
  let after = 0;
  while (after < most - before && old[old.length - 1 - after] === fresh[fresh.length - 1 - after]) {
    after++;
  }
  while (before > 0 && WORD.test(old[before - 1] ?? "") && WORD.test((old[before] ?? "") + (fresh[before] ?? ""))) {
    before--;
  }
  while (after > 0 && WORD.test(old[old.length - after] ?? "")) {
    after--;
  }
  const start = document.offsetAt(range.start);
  const place = new vscode.Range(document.positionAt(start + before), document.positionAt(start + old.length - after));
  return { range: place, text: fresh.slice(before, fresh.length - after) };
}

export class EditPainter implements vscode.Disposable {
  private readonly removed = vscode.window.createTextEditorDecorationType({
    textDecoration: "line-through",
    backgroundColor: new vscode.ThemeColor("diffEditor.removedTextBackground"),
  });
  private readonly added = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  private readonly mark = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    borderStyle: "solid",
    borderWidth: "0 0 0 2px",
    borderColor: new vscode.ThemeColor("editorInfo.foreground"),
    overviewRulerColor: new vscode.ThemeColor("editorInfo.foreground"),
    overviewRulerLane: vscode.OverviewRulerLane.Center,
  });
  private readonly hint = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  private readonly types = [this.removed, this.added, this.mark, this.hint];

  clear(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      this.types.forEach((type) => editor.setDecorations(type, []));
    }
  }

  /** Show an edit of a file; `editor` is the one in front, `revealed` whether more than the mark is shown. */
  paint(
    editor: vscode.TextEditor,
    uri: vscode.Uri,
    range: vscode.Range,
    text: string,
    title: string,
    revealed: boolean,
  ): void {
    this.clear();
    const holder = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
    if (holder) {
      holder.setDecorations(this.mark, [new vscode.Range(range.start, range.start)]);
      if (revealed) {
        holder.setDecorations(this.removed, range.isEmpty ? [] : [range]);
        holder.setDecorations(this.added, text === "" ? [] : [this.addition(range, text, title)]);
      }
    }
    const line = editor.selection.active.line;
    if (holder !== editor || line !== range.start.line || !revealed) {
      const where = holder === editor ? `line ${range.start.line + 1}` : vscode.workspace.asRelativePath(uri);
      const end = editor.document.lineAt(line).range.end;
      const contentText = `  ⇥ ${where}: ${title}`;
      const color = new vscode.ThemeColor("editorCodeLens.foreground");
      editor.setDecorations(this.hint, [
        { range: new vscode.Range(end, end), renderOptions: { after: { contentText, color } } },
      ]);
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.types).dispose();
  }

  private addition(range: vscode.Range, text: string, title: string): vscode.DecorationOptions {
    const line = text.replace(/\r?\n$/, "").replace(/\r?\n/g, " ⏎ ");
    const whole = /\r?\n$/.test(text) ? `⏎ ${line}` : line;
    const shown = whole.length > MAX_SHOWN_CHARACTERS ? `${whole.slice(0, MAX_SHOWN_CHARACTERS - 1)}…` : whole;
    return {
      range: new vscode.Range(range.end, range.end),
      hoverMessage: new vscode.MarkdownString(title).appendCodeblock(text),
      renderOptions: {
        after: {
          contentText: shown.replace(/ /g, "\u00a0"),
          color: new vscode.ThemeColor("editorGhostText.foreground"),
          backgroundColor: new vscode.ThemeColor("diffEditor.insertedTextBackground"),
        },
      },
    };
  }
}
