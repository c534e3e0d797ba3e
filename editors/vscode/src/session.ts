// The running server: found, started, restarted, stopped. One at a time.

import * as vscode from "vscode";
import { ExecuteCommandRequest, LanguageClient, State, type LanguageClientOptions } from "vscode-languageclient/node";
import { locateServer } from "./locate";
import { patientMiddleware } from "./patience";
import { COMMAND, STATUS, type Status } from "./protocol";
import { SECTION, contributedKeys, explicitSettings } from "./settings";
import type { StatusItem } from "./status";

export class Session implements vscode.Disposable {
  readonly output = vscode.window.createOutputChannel("Spark LSP", { log: true });
  private client: LanguageClient | undefined;
  /** Starts and stops happen one after the other, in the order in which they were asked for. */
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly extension: vscode.Extension<unknown>,
    private readonly status: StatusItem,
  ) {}

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
      void this.offerHelp("Spark LSP: the server is not running.");
      return undefined;
    }
    return this.client.sendRequest<Result>(method, params);
  }

  execute(command: string, args: unknown[] = []): Promise<unknown> {
    return this.request(ExecuteCommandRequest.method, { command, arguments: args });
  }

  /** Tell the server that the user's settings have changed. */
  async sendSettings(): Promise<void> {
    if (this.client?.state === State.Running) {
      const settings = { [SECTION]: this.settings() };
      await this.client.sendNotification("workspace/didChangeConfiguration", { settings });
    }
  }

  /** How the server names a place in a document. */
  place(document: vscode.TextDocument, range: vscode.Range) {
    const converter = this.client?.code2ProtocolConverter;
    return converter && { textDocument: converter.asTextDocumentIdentifier(document), range: converter.asRange(range) };
  }

  dispose(): void {
    this.output.dispose();
  }

  private enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.last.then(step);
    this.last = done.catch(() => undefined);
    return done;
  }

  private settings() {
    return explicitSettings(contributedKeys(this.extension));
  }

  private async startNow(): Promise<void> {
    const server = await locateServer();
    if (!server.found) {
      this.status.show({ kind: "Error", message: server.message });
      void this.offerHelp(server.message);
      return;
    }
    this.output.info(`starting ${server.program}`);
    // Without a `transport` the client talks over stdio and adds no argument of its own.
    const executable = { command: server.program, args: ["serve", "--stdio", ...server.extraArgs] };
    const client = new LanguageClient("spark", "Spark LSP", executable, this.clientOptions());
    client.onNotification(STATUS, (status: Status) => this.status.show(status));
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped) {
        this.status.show({ kind: "Inactive", message: "The server has stopped." });
      }
    });
    this.client = client;
    try {
      await client.start();
      // A command that this server does not have is not offered.
      const commands = client.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
      await vscode.commands.executeCommand("setContext", "sparkLsp.canRewrite", commands.includes(COMMAND.rewrite));
    } catch (error) {
      const message = `Spark LSP: ${server.program} did not start: ${error instanceof Error ? error.message : error}`;
      this.status.show({ kind: "Error", message });
      void this.offerHelp(message);
    }
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.needsStop()) {
      await client.stop();
    }
    await client?.dispose();
  }

  private clientOptions(): LanguageClientOptions {
    return {
      // Every language: the server knows which it can do and says why it does not answer.
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
      outputChannel: this.output,
      initializationOptions: this.settings(),
      middleware: {
        ...patientMiddleware(() => this.client),
        workspace: {
          configuration: async (params, token, next) => {
            const values = await next(params, token);
            if (!Array.isArray(values)) {
              return values;
            }
            return values.map((value, index) => (params.items[index]?.section === SECTION ? this.settings() : value));
          },
        },
      },
    };
  }

  private async offerHelp(message: string): Promise<void> {
    const settings = "Open Settings";
    const again = "Try Again";
    const choice = await vscode.window.showErrorMessage(message, settings, again, "Show Output");
    if (choice === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "spark.server.path");
    } else if (choice === again) {
      await this.restart();
    } else if (choice !== undefined) {
      this.output.show();
    }
  }
}
