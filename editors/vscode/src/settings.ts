// The user's settings as the server wants them: only what somebody has set. VS Code would fill in every default, and a
// default sent as if it had been chosen would override the workspace's .spark-lsp.toml and the environment.

import * as vscode from "vscode";

export const SECTION = "spark";

/** Settings of the extension itself: how to start the server. They are not sent to it. */
const OWN_PREFIX = "spark.server.";

type Nested = Record<string, unknown>;

/** Turn `{"completion.maxLines": 3}` into `{completion: {maxLines: 3}}`. */
function nest(flat: Map<string, unknown>): Nested {
  const root: Nested = {};
  for (const [dotted, value] of flat) {
    const path = dotted.split(".");
    const leaf = path.pop();
    let at = root;
    for (const part of path) {
      at = (at[part] ??= {}) as Nested;
    }
    if (leaf !== undefined) {
      at[leaf] = value;
    }
  }
  return root;
}

/** What the user or the workspace has set in section `spark`, nested. `contributed` are the keys of package.json. */
export function explicitSettings(contributed: readonly string[]): Nested {
  const configuration = vscode.workspace.getConfiguration();
  const set = new Map<string, unknown>();
  for (const key of contributed) {
    if (key.startsWith(OWN_PREFIX)) {
      continue;
    }
    const found = configuration.inspect(key);
    const isSet =
      found?.globalValue !== undefined ||
      found?.workspaceValue !== undefined ||
      found?.workspaceFolderValue !== undefined;
    if (isSet) {
      set.set(key.slice(SECTION.length + 1), configuration.get(key));
    }
  }
  return nest(set);
}

/** The keys that package.json contributes. */
export function contributedKeys(extension: vscode.Extension<unknown>): string[] {
  const manifest = extension.packageJSON as { contributes: { configuration: { properties: object } } };
  return Object.keys(manifest.contributes.configuration.properties);
}
