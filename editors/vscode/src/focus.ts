// Telling the server where the cursor has come to rest, so that the model has read around it before the first key.

import * as vscode from "vscode";

/** A cursor that moves on sooner is only passing. */
const SETTLE_MS = 200;

/** Call `tell` with the editor whose cursor rests; while the user types each request says where the cursor is. */
export function watchFocus(tell: (editor: vscode.TextEditor) => void): vscode.Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let typed = false;
  const forget = () => clearTimeout(timer);
  const moved = () => {
    forget();
    timer = setTimeout(() => {
      const editor = vscode.window.activeTextEditor;
      if (editor) {
        tell(editor);
      }
    }, SETTLE_MS);
  };
  return vscode.Disposable.from(
    new vscode.Disposable(forget),
    vscode.window.onDidChangeActiveTextEditor(moved),
    vscode.workspace.onDidChangeTextDocument((event) => {
      if (event.document === vscode.window.activeTextEditor?.document && event.contentChanges.length > 0) {
        typed = true; // the selection's own event follows
        forget();
      }
    }),
    vscode.window.onDidChangeTextEditorSelection(() => {
      if (!typed) {
        moved();
      }
      typed = false;
    }),
  );
}
