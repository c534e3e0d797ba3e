// The preferred quick fix of the diagnostic nearest to the cursor, as other extensions give it.

import * as vscode from "vscode";

/** A diagnostic farther away has little to do with the last edit. */
const MAX_LINES = 20;

interface Fix {
  readonly title: string;
  readonly edits: readonly vscode.TextEdit[];
}

/**
 * Ask for the quick fixes there, and take the preferred one when it is nothing but edits of this document. Actions are
 * not resolved: that would ask the model for those of this extension.
 */
export async function preferredFix(document: vscode.TextDocument, cursor: vscode.Position): Promise<Fix | undefined> {
  const distance = ({ range }: vscode.Diagnostic) => Math.abs(range.start.line - cursor.line);
  const [nearest] = vscode.languages
    .getDiagnostics(document.uri)
    .filter((diagnostic) => distance(diagnostic) <= MAX_LINES)
    .sort((first, second) => distance(first) - distance(second));
  if (!nearest) {
    return undefined;
  }
  const actions = await vscode.commands.executeCommand<vscode.CodeAction[] | undefined>(
    "vscode.executeCodeActionProvider",
    document.uri,
    nearest.range,
    vscode.CodeActionKind.QuickFix.value,
  );
  for (const { title, isPreferred, disabled, edit, command } of actions ?? []) {
    const [entry, ...others] = edit?.entries() ?? [];
    const isWhole = entry !== undefined && others.length === 0 && entry[0].toString() === document.uri.toString();
    if (isPreferred && !disabled && !command && isWhole && entry[1].length > 0) {
      return { title, edits: entry[1] };
    }
  }
  return undefined;
}
