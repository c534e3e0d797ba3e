// Ghost text in the editor. The language client answers VS Code's question once, so the answer is what has been written
// so far, and VS Code is made to look again when there is more. It looks again only at a provider that it has not asked
// at this place yet, so each step is a new one; then it replaces what it shows by the longer text in one go. (To hide and
// ask again would flicker; a plain "trigger" keeps the shorter text on top.)
//
// A look takes the place of whatever question is on its way, and it may reach VS Code after a key that the extension has
// not heard of. So it is answered as that key's question would have been.
//
// What must not happen: a text that the user has dismissed or left comes back; a question of a key stays unanswered
// because of a look.

import * as vscode from "vscode";
import type { LanguageClient, Middleware } from "vscode-languageclient/node";
import { Growth } from "./growth";
import { DISMISSED, SHOWN } from "./protocol";
import type { Typing } from "./typing";

export const TRIGGER = "editor.action.inlineSuggest.trigger";
/**
 * While it is true, Escape belongs to this file: VS Code's own would hide a text that the stream brings back, and tells
 * nobody. An extension that makes Escape leave a mode keeps it (package.json).
 */
const SUGGESTING = "sparkLsp.suggesting";

type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;
type Standard = Parameters<NonNullable<Middleware["provideInlineCompletionItems"]>>[4];

export class GhostText implements vscode.Disposable {
  private growth: Growth | undefined;
  /** What VS Code was last given of it; undefined until it was given something. */
  private given: string | undefined;
  private waiting = 0;
  private looking = false;
  private step: vscode.Disposable | undefined;
  private hasStreams = true;
  /** The standard request, once there was a question. */
  private standard: Standard = () => [];
  /** Whether the last question was for the chosen entry of the completion menu: then VS Code shows nothing else. */
  private choosing = false;
  private toldSuggesting = false;
  private readonly events: vscode.Disposable[];

  /** `running` gives the client, which does not exist yet when its middleware is made. */
  constructor(
    private readonly selector: vscode.DocumentSelector,
    private readonly extensionId: string,
    private readonly typing: Typing,
    private readonly running: () => LanguageClient | undefined,
  ) {
    this.events = [
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (this.growth && !this.growth.follow(event)) {
          this.drop();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        if (this.growth && this.growth.document !== editor?.document) {
          this.drop();
        }
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
        const [cursor] = selections;
        const alone = selections.length === 1 && cursor?.isEmpty === true;
        if (this.growth && !(alone && this.growth.fits(textEditor.document, cursor.active))) {
          this.drop();
        }
      }),
    ];
  }

  /** A new server may have what the last one had not. */
  reset(): void {
    this.drop();
    this.hasStreams = true;
  }

  /** Whether a suggestion is on the screen. */
  get isShown(): boolean {
    return this.given !== undefined;
  }

  /** What Escape does: nothing more comes, and the server learns that this text was not wanted. */
  async dismiss(): Promise<void> {
    const item = this.given === undefined ? undefined : this.growth?.whole;
    this.typing.forget();
    this.drop();
    if (item) {
      void this.running()?.sendNotification(DISMISSED, { item });
    }
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
  }

  readonly middleware: Middleware = {
    provideInlineCompletionItems: (document, position, context, token, next) => {
      this.standard = next;
      return this.provide(document, position, context, token);
    },
  };

  dispose(): void {
    this.drop();
    vscode.Disposable.from(...this.events).dispose();
  }

  private async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<Answer> {
    const client = this.running();
    this.typing.ask(document, position);
    // An entry of the completion menu is chosen: the text must continue that entry, which only the standard says.
    this.choosing = context.selectedCompletionInfo !== undefined;
    if (!client || !this.hasStreams || this.choosing) {
      return this.standard(document, position, context, token);
    }
    const byHand = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    if (!this.growth?.fits(document, position) || (byHand && !this.growth.byHand)) {
      this.begin(client, document, position, context);
    }
    const items = await this.answer(document, position, token);
    // The first question to a server without streams ends here, and gets the standard answer.
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the wait above may have changed it
    return this.hasStreams ? items : this.standard(document, position, context, token);
  }

  private begin(
    client: LanguageClient,
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
  ): void {
    const byHand = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const turning = byHand && this.given !== undefined && this.growth?.fits(document, position) === true;
    this.drop();
    const growth = new Growth(client, document, position, () => void this.lookAgain(), byHand, turning);
    this.growth = growth;
    this.tellSuggesting();
    void growth.run(context).then((hasStreams) => {
      this.hasStreams &&= hasStreams;
      growth.close();
    });
  }

  private async answer(
    document: vscode.TextDocument,
    position: vscode.Position,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    const growth = this.growth;
    if (!growth) {
      return [];
    }
    this.waiting++;
    await growth.ready(token);
    this.waiting--;
    if (growth !== this.growth) {
      return [];
    }
    if (token.isCancellationRequested) {
      // A look that has taken this question's place is going to ask for the same.
      if (this.waiting === 0 && this.given === undefined && !this.looking) {
        this.drop();
      }
      return [];
    }
    const items = growth.fits(document, position) ? growth.items(position) : [];
    if (items.length > 0 && growth.whole) {
      if (this.given === undefined) {
        void this.running()?.sendNotification(SHOWN, { item: growth.whole });
      }
      this.given = growth.state;
    }
    return items;
  }

  /** One look serves all that came meanwhile. Before the first answer VS Code waits for it by itself. */
  private async lookAgain(): Promise<void> {
    if (this.looking) {
      return;
    }
    this.looking = true;
    try {
      while (this.hasMore) {
        const { growth, given } = this;
        await this.look();
        if (growth === this.growth && given === this.given) {
          return;
        }
      }
    } finally {
      this.looking = false;
      if (this.given === undefined && this.waiting === 0) {
        this.drop();
      }
    }
  }

  private get hasMore(): boolean {
    return this.given !== undefined && this.given !== this.growth?.state && !this.choosing;
  }

  private async look(): Promise<void> {
    this.endStep();
    this.step = vscode.languages.registerInlineCompletionItemProvider(this.selector, {
      provideInlineCompletionItems: (document, position, context, token) => {
        const wanted = this.growth?.fits(document, position) || this.typing.isAt(document, position);
        // The next key is a question to the language client's provider alone.
        return this.looking && wanted ? this.provide(document, position, context, token) : [];
      },
    });
    await vscode.commands.executeCommand(TRIGGER, { providerId: `${this.extensionId}:*`, explicit: false });
  }

  private drop(): void {
    // A look that is on its way may yet be asked for what a key has asked.
    if (!this.looking) {
      this.endStep();
    }
    this.growth?.dispose();
    this.growth = undefined;
    this.given = undefined;
    this.tellSuggesting();
  }

  private endStep(): void {
    this.step?.dispose();
    this.step = undefined;
  }

  private tellSuggesting(): void {
    const suggesting = this.growth !== undefined;
    if (suggesting !== this.toldSuggesting) {
      this.toldSuggesting = suggesting;
      void vscode.commands.executeCommand("setContext", SUGGESTING, suggesting);
    }
  }
}
