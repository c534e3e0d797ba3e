// Having VS Code listen from the first key on. The part of an editor that asks for suggestions is made when the window
// is idle, up to five seconds after the editor has appeared, and keys before that ask nobody. Any command of that part
// makes it at once. What must not happen: a question that nobody's key has asked, or the loss of one that is on its way.

import * as vscode from "vscode";
import { TRIGGER } from "./ghost";
import type { Typing } from "./typing";

/** Older ones do not know the command's arguments and would ask every provider aloud: there the first keys may be lost. */
const FIRST_MINOR_VERSION = 110;
/**
 * VS Code makes that part before it looks at the arguments, and refuses these: the field is a boolean. So it is made and
 * nothing is asked. A question to a provider that says nothing would take the place of one that a key has asked meanwhile.
 */
const REFUSED = { explicit: 0 };
/** What a key does; VS Code does nothing when one has asked already. */
const AS_A_KEY = { explicit: false };

/** Prepare the editor that is in front, and each that comes to the front from now on. */
export function listenFromTheFirstKey(selector: vscode.DocumentSelector, typing: Typing): vscode.Disposable {
  const [major = 0, minor = 0] = vscode.version.split(".").map(Number);
  if (major === 1 && minor < FIRST_MINOR_VERSION) {
    return new vscode.Disposable(() => undefined);
  }
  const prepare = async (editor: vscode.TextEditor | undefined) => {
    if (!editor || !vscode.languages.match(selector, editor.document)) {
      return;
    }
    try {
      await vscode.commands.executeCommand(TRIGGER, REFUSED);
    } catch {
      // as it should
    }
    // All keys that the editor could not hear are known here by now: VS Code tells of them before it refuses.
    const wanted = vscode.workspace
      .getConfiguration("editor", editor.document)
      .get<boolean>("inlineSuggest.enabled", true);
    if (wanted && typing.isUnheard) {
      await vscode.commands.executeCommand(TRIGGER, AS_A_KEY);
    }
  };
  void prepare(vscode.window.activeTextEditor);
  return vscode.window.onDidChangeActiveTextEditor((editor) => void prepare(editor));
}
