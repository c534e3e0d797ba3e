// Where the user has just typed to. A question that VS Code has lost is asked again at that place alone, and only while
// the cursor still stands there: what was left or dismissed asks for nothing.

import * as vscode from "vscode";

interface Place {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
  /** Whether a question for this place has come. */
  asked: boolean;
}

export class Typing implements vscode.Disposable {
  private place: Place | undefined;
  private changed: vscode.TextDocument | undefined;
  private readonly events = [
    // The cursor's own event follows a key's change.
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges, reason }) => {
      if (contentChanges.length > 0) {
        this.changed = reason === undefined ? document : undefined;
      }
    }),
    vscode.window.onDidChangeTextEditorSelection(({ textEditor: { document }, selections }) => {
      const [cursor] = selections;
      const typed = document === this.changed && selections.length === 1 && cursor?.isEmpty === true;
      this.changed = undefined;
      this.place = typed ? { document, position: cursor.active, asked: false } : undefined;
    }),
    vscode.window.onDidChangeActiveTextEditor(() => this.forget()),
  ];

  /** Whether the user has typed to this place. */
  isAt(document: vscode.TextDocument, position: vscode.Position): boolean {
    return document === this.place?.document && position.isEqual(this.place.position);
  }

  /** A question has come; one for the place is the answer to the user's keys. */
  ask(document: vscode.TextDocument, position: vscode.Position): void {
    if (this.place && this.isAt(document, position)) {
      this.place.asked = true;
    }
  }

  /** Whether the user's keys have asked nobody so far. */
  get isUnheard(): boolean {
    return this.place?.asked === false;
  }

  /** The user wants nothing here. */
  forget(): void {
    this.place = undefined;
    this.changed = undefined;
  }

  dispose(): void {
    vscode.Disposable.from(...this.events).dispose();
  }
}
