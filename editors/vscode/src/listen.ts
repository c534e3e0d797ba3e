// Having VS Code listen from the first key on. The part of an editor that asks for suggestions is made when the window
// is idle, up to five seconds after the editor has appeared, and keys before that ask nobody. Any command of that part
// makes it at once, so each new editor gets one, with a provider behind it that says nothing: no server is asked and
// nothing is shown.

import * as vscode from "vscode";

/** Older ones do not know the command's arguments and would ask every provider aloud: there the first keys may be lost. */
const FIRST_MINOR_VERSION = 110;

/** Prepare the editor that is in front, and each that comes to the front from now on. */
export function listenFromTheFirstKey(selector: vscode.DocumentSelector, extensionId: string): vscode.Disposable {
  const [major = 0, minor = 0] = vscode.version.split(".").map(Number);
  if (major === 1 && minor < FIRST_MINOR_VERSION) {
    return new vscode.Disposable(() => undefined);
  }
  const prepared = new WeakSet<vscode.TextEditor>();
  const prepare = async (editor: vscode.TextEditor | undefined) => {
    if (!editor || prepared.has(editor) || !vscode.languages.match(selector, editor.document)) {
      return;
    }
    prepared.add(editor);
    // The one that was registered last is the one that the command finds.
    const silent = vscode.languages.registerInlineCompletionItemProvider(selector, {
      provideInlineCompletionItems: () => [],
    });
    try {
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger", {
        providerId: `${extensionId}:*`,
        explicit: false,
      });
    } finally {
      silent.dispose();
    }
  };
  void prepare(vscode.window.activeTextEditor);
  return vscode.window.onDidChangeActiveTextEditor((editor) => void prepare(editor));
}
