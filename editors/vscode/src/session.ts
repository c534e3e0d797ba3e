// The running server: found, started, restarted, stopped. One at a time.

import * as vscode from "vscode";
import {
  ExecuteCommandRequest,
  LanguageClient,
  MessageType,
  ShowMessageNotification,
  State,
  type LanguageClientOptions,
  type ShowMessageParams,
} from "vscode-languageclient/node";
import { GhostText } from "./ghost";
import { Obstacle, installServer } from "./install";
import { locateServer } from "./locate";
import { output } from "./programs";
import { COMMAND, FOCUSED, LOG, STATUS, type LogEntry, type Status } from "./protocol";
import { SECTION, contributedKeys, explicitSettings } from "./settings";
import type { StatusItem } from "./status";
import { NextEdits } from "./next_edit";
import { Typing } from "./typing";

/** Every language: the server knows which it can do and says why it does not answer. The last are cells of notebooks. */
export const SELECTOR = [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }];
/** The log of 250 requests is not asked for at every key. */
const SPEED_INTERVAL_MS = 2000;

/** A button under a message and what it does. */
type Button = readonly [string, () => unknown];

export class Session implements vscode.Disposable {
  readonly output = vscode.window.createOutputChannel("Spark LSP", { log: true });
  readonly typing = new Typing();
  readonly ghostText: GhostText;
  readonly nextEdits: NextEdits;
  private client: LanguageClient | undefined;
  private program: string | undefined;
  private speedAskedMs = 0;
  /** Starts and stops happen one after the other, in the order in which they were asked for. */
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly status: StatusItem,
  ) {
    this.ghostText = new GhostText(SELECTOR, context.extension.id, this.typing, () => this.client);
    this.nextEdits = new NextEdits(
      SELECTOR,
      () => this.client,
      () => this.ghostText.isShown,
    );
  }

  restart(): Promise<void> {
    return this.enqueue(async () => {
      await this.stopNow();
      await this.startNow();
    });
  }

  stop(): Promise<void> {
    return this.enqueue(() => this.stopNow());
  }

  /** Ask the server something; a user who asks while it does not run is told so. */
  async request<Result>(method: string, params: unknown): Promise<Result | undefined> {
    if (this.client?.state !== State.Running) {
      void this.offer("Spark LSP: the server is not running.", this.tryAgain, this.showOutput);
      return undefined;
    }
    return this.client.sendRequest<Result>(method, params);
  }

  execute(command: string, args: unknown[] = []): Promise<unknown> {
    return this.request(ExecuteCommandRequest.method, { command, arguments: args });
  }

  /** Whether the running server has a command. */
  has(command: string): boolean {
    return this.client?.initializeResult?.capabilities.executeCommandProvider?.commands.includes(command) ?? false;
  }

  /** What a command of the command line says as JSON; undefined after a message when there is no server to ask. */
  async tell<Result>(...args: string[]): Promise<Result | undefined> {
    const said = this.program === undefined ? undefined : await output(this.program, [...args, "--json"]);
    try {
      return said === undefined ? undefined : (JSON.parse(said) as Result);
    } catch {
      return undefined;
    } finally {
      if (said === undefined) {
        void this.offer("Spark LSP: no server was found.", this.tryAgain, this.showOutput);
      }
    }
  }

  /** Tell the server that the user's settings have changed. */
  async sendSettings(): Promise<void> {
    if (this.client?.state === State.Running) {
      const settings = { [SECTION]: this.settings() };
      await this.client.sendNotification("workspace/didChangeConfiguration", { settings });
    }
  }

  /** Tell the server where the user looks. */
  tellFocus(editor: vscode.TextEditor): void {
    const client = this.client;
    if (client?.state === State.Running && vscode.languages.match(SELECTOR, editor.document)) {
      const converter = client.code2ProtocolConverter;
      void client.sendNotification(FOCUSED, {
        textDocument: converter.asTextDocumentIdentifier(editor.document),
        position: converter.asPosition(editor.selection.active),
      });
    }
  }

  /** How the server names a place in a document. */
  place(document: vscode.TextDocument, range: vscode.Range) {
    const converter = this.client?.code2ProtocolConverter;
    return converter && { textDocument: converter.asTextDocumentIdentifier(document), range: converter.asRange(range) };
  }

  /** Install the server into this extension's own environment, and start it. */
  async install(): Promise<void> {
    try {
      await this.stop(); // a running program cannot be replaced everywhere
      await installServer(this.context.globalStorageUri, this.output);
      await this.restart();
      void vscode.window.showInformationMessage("Spark LSP is installed.");
    } catch (error) {
      if (error instanceof vscode.CancellationError) {
        return;
      }
      const message = `Spark LSP was not installed: ${error instanceof Error ? error.message : String(error)}`;
      this.status.show({ kind: "Error", message });
      const again: Button = ["Try Again", () => this.install()];
      const setting = error instanceof Obstacle ? error.setting : undefined;
      void this.offer(message, again, ...(setting ? [this.openSettings(setting)] : []), this.showOutput);
    }
  }

  dispose(): void {
    this.nextEdits.dispose();
    this.ghostText.dispose();
    this.typing.dispose();
    this.output.dispose();
  }

  private enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.last.then(step);
    this.last = done.catch(() => undefined);
    return done;
  }

  private settings() {
    return explicitSettings(contributedKeys(this.context.extension));
  }

  private async startNow(): Promise<void> {
    const server = await locateServer(this.context.globalStorageUri);
    if (!server.found) {
      this.program = undefined;
      this.status.show({ kind: "Error", message: server.message });
      const install: Button = ["Install", () => this.install()];
      void this.offer(
        server.message,
        ...(server.canInstall ? [install] : []),
        this.openSettings("spark.server.path"),
        this.tryAgain,
      );
      return;
    }
    this.program = server.program;
    this.status.starting();
    this.output.info(`starting ${server.program}`);
    // Without a `transport` the client talks over stdio and adds no argument of its own.
    const executable = { command: server.program, args: ["serve", "--stdio", ...server.extraArgs] };
    const client = new LanguageClient("spark", "Spark LSP", executable, this.clientOptions());
    client.onNotification(STATUS, (status: Status) => this.tellStatus(status));
    client.onNotification(ShowMessageNotification.type, (message) => this.showMessage(message));
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped) {
        this.ghostText.reset();
        this.nextEdits.hide();
        this.status.show({ kind: "Inactive", message: "The server has stopped." });
      }
    });
    this.client = client;
    try {
      await client.start();
      this.status.started();
      await vscode.commands.executeCommand("setContext", "sparkLsp.running", true);
      // A command that this server does not have is not offered.
      await vscode.commands.executeCommand("setContext", "sparkLsp.canRewrite", this.has(COMMAND.rewrite));
    } catch (error) {
      const message = `Spark LSP: ${server.program} did not start: ${error instanceof Error ? error.message : String(error)}`;
      this.status.show({ kind: "Error", message });
      void this.offer(message, this.openSettings("spark.server.path"), this.tryAgain, this.showOutput);
    }
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.ghostText.reset();
    if (client?.needsStop()) {
      await client.stop();
    }
    await client?.dispose();
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: SELECTOR,
      outputChannel: this.output,
      // No initializationOptions: the server asks for the settings, and what is taken back later must not linger there.
      middleware: {
        ...this.ghostText.middleware,
        workspace: {
          configuration: async (params, token, next) => {
            const values = await next(params, token);
            if (!Array.isArray(values)) {
              return values;
            }
            return (values as unknown[]).map((value, index) =>
              params.items[index]?.section === SECTION ? this.settings() : value,
            );
          },
        },
      },
    };
  }

  private tellStatus(status: Status): void {
    this.status.show(status);
    const now = Date.now();
    if (!status.busy && status.kind === "Normal" && now - this.speedAskedMs > SPEED_INTERVAL_MS) {
      this.speedAskedMs = now;
      void this.client?.sendRequest<{ requests?: LogEntry[] }>(LOG, {}).then(
        ({ requests }) => this.status.showSpeed(speed(requests ?? [])),
        () => undefined, // the server stopped meanwhile, which its state tells
      );
    }
  }

  /** The server's own messages; its errors say what is wrong, and the buttons lead to the fix. */
  private showMessage({ type, message }: ShowMessageParams): void {
    if (type === MessageType.Error) {
      const run = (title: string, command: string): Button => [
        title,
        () => vscode.commands.executeCommand(`sparkLsp.${command}`),
      ];
      void this.offer(message, run("Choose Model", "pickModel"), run("Run Doctor", "doctor"), this.showOutput);
    } else if (type === MessageType.Warning) {
      void vscode.window.showWarningMessage(message);
    } else {
      void vscode.window.showInformationMessage(message);
    }
  }

  private readonly tryAgain: Button = ["Try Again", () => this.restart()];
  private readonly showOutput: Button = ["Show Output", () => this.output.show()];

  private openSettings(key: string): Button {
    return ["Open Settings", () => vscode.commands.executeCommand("workbench.action.openSettings", key)];
  }

  private async offer(message: string, ...buttons: Button[]): Promise<void> {
    const choice = await vscode.window.showErrorMessage(message, ...buttons.map(([title]) => title));
    await buttons.find(([title]) => title === choice)?.[1]();
  }
}

/** How fast the last answer of the model was. */
function speed(entries: readonly LogEntry[]): string {
  const last = [...entries]
    .reverse()
    .find(({ facts }) => (facts as Record<string, unknown> | undefined)?.["generated_tokens"]);
  if (!last) {
    return "";
  }
  const { first_token_ms, generated_tokens } = last["facts"] as Record<string, number>;
  return `first token after ${Math.round(first_token_ms ?? 0)} ms, ${generated_tokens} tokens in ${Math.round(Number(last["total_ms"]))} ms`;
}
