// A slow machine has nothing to show at the server's deadline, and VS Code asks again only at the next key. So an empty
// answer is followed by a question without a deadline; the server goes on with the generation that it has begun.

import type * as vscode from "vscode";
import { LSPErrorCodes, ResponseError, type LanguageClient, type Middleware } from "vscode-languageclient/node";
import { STREAM } from "./protocol";

type InlineResult = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

function isEmpty(result: InlineResult): boolean {
  return !result || (Array.isArray(result) ? result : result.items).length === 0;
}

/** `running` gives the client, which does not exist yet when its middleware is made. */
export function patientMiddleware(running: () => LanguageClient | undefined): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const result = await next(document, position, context, token);
      const client = running();
      if (!isEmpty(result) || token.isCancellationRequested || !client) {
        return result;
      }
      const params = client.code2ProtocolConverter.asInlineCompletionParams(document, position, context);
      try {
        const late = await client.sendRequest<{ items: [] }>(STREAM, params, token);
        return await client.protocol2CodeConverter.asInlineCompletionResult(late, token);
      } catch (error) {
        // The next key cancels, as it should; a server without this method has given its answer above.
        if (error instanceof ResponseError && error.code !== LSPErrorCodes.RequestCancelled) {
          client.debug(`${STREAM}: ${error.message}`);
        }
        return result;
      }
    },
  };
}
