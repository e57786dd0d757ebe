// The smallest extension that brings Sidelight's debug adapter into VS Code: it
// registers the debugger, picks processes, shows values in the lines of a
// snapshot, and names the snapshots that wait. All else is the adapter's
// (sidelight dap).

import { execFile } from "child_process";
import * as vscode from "vscode";

const type = "sidelight";

export function activate(context: vscode.ExtensionContext) {
	const snapshots = new Snapshots();
	context.subscriptions.push(
		vscode.debug.registerDebugAdapterDescriptorFactory(type, {
			createDebugAdapterDescriptor: adapter,
		}),
		vscode.debug.registerDebugConfigurationProvider(type, { resolveDebugConfiguration: complete }),
		vscode.commands.registerCommand("sidelight.pickProcess", pickProcess),
		vscode.commands.registerCommand("sidelight.attach", () =>
			vscode.debug.startDebugging(undefined, configuration())),
		vscode.commands.registerCommand("sidelight.openSnapshot", (session: vscode.DebugSession, list: Snapshot[]) =>
			snapshots.pick(session, list)),
		vscode.languages.registerInlineValuesProvider({ language: "go" }, { provideInlineValues: inlineValues }),
		vscode.languages.registerCodeLensProvider({ language: "go" }, snapshots),
		vscode.debug.onDidReceiveDebugSessionCustomEvent((e) => snapshots.take(e)),
		vscode.debug.onDidTerminateDebugSession((s) => snapshots.forget(s)),
	);
}

function program(): string {
	return vscode.workspace.getConfiguration("sidelight").get<string>("path") || "sidelight";
}

// adapter is the program as a debug adapter. VS Code says nothing where it cannot
// be run, so it is tried first.
async function adapter(): Promise<vscode.DebugAdapterDescriptor> {
	try {
		await run(["version"]);
	} catch (err) {
		throw missing(err);
	}
	return new vscode.DebugAdapterExecutable(program(), ["dap"]);
}

function missing(err: unknown): Error {
	const why = err instanceof Error ? err.message : String(err);
	const error = new Error(`Sidelight cannot be run on this machine (${why}): install it, or set “sidelight.path”.`);
	void vscode.window.showErrorMessage(error.message, "Settings").then((choice) =>
		choice && vscode.commands.executeCommand("workbench.action.openSettings", "sidelight.path"));
	return error;
}

function run(args: string[]): Promise<string> {
	return new Promise((resolve, reject) => {
		execFile(program(), args, { maxBuffer: 16 << 20 }, (err, stdout, stderr) =>
			err ? reject(new Error(stderr.trim() || err.message)) : resolve(stdout));
	});
}

function configuration(): vscode.DebugConfiguration {
	return { type, request: "attach", name: "Sidelight", target: "${command:pickProcess}" };
}

// F5 without a launch.json: ask for the process.
function complete(_folder: vscode.WorkspaceFolder | undefined, config: vscode.DebugConfiguration): vscode.DebugConfiguration {
	if (!config.type && !config.request && !config.name) {
		return configuration();
	}
	return config;
}

interface Process {
	pid: number;
	name: string;
	observable: boolean;
	reason: string;
	cure: string;
	module: string;
	module_version: string;
	runtime_version: string;
}

// pickProcess lets a person choose among the Go programs of this machine. Those
// that cannot be observed come last, and say why.
async function pickProcess(): Promise<string | undefined> {
	let list: Process[];
	try {
		list = await processes();
	} catch (err) {
		missing(err);
		return undefined;
	}
	list.sort((a, b) => Number(b.observable) - Number(a.observable) || a.name.localeCompare(b.name));
	const items = list.map((p) => ({
		label: `${p.observable ? "" : "$(circle-slash) "}${p.name}`,
		description: `${p.pid}  ${p.module}${p.module_version ? "@" + p.module_version : ""}`,
		detail: p.observable ? undefined : `${p.reason}${p.cure ? ": " + p.cure : ""}`,
		pid: String(p.pid),
	}));
	if (items.length === 0) {
		void vscode.window.showInformationMessage("No Go program runs here. “sidelight demo” starts one.");
		return undefined;
	}
	const picked = await vscode.window.showQuickPick(items, {
		placeHolder: "The Go program to look into; it will not be stopped", matchOnDescription: true,
	});
	return picked?.pid;
}

async function processes(): Promise<Process[]> {
	const out = await run(["ps", "--output", "json"]);
	return out.split("\n").filter((line) => line).map((line) => JSON.parse(line) as Process);
}

const keywords = new Set(("break case chan const continue default defer else fallthrough for func go goto if import interface map " +
	"package range return select struct switch type var true false nil iota append cap clear close complex copy delete imag len " +
	"make max min new panic print println real recover string int error bool byte rune any").split(" "));

// inlineValues shows what a snapshot captured beside the names of its function,
// up to the line where it was taken.
function inlineValues(document: vscode.TextDocument, viewPort: vscode.Range, context: vscode.InlineValueContext): vscode.InlineValue[] {
	if (vscode.debug.activeDebugSession?.type !== type) {
		return [];
	}
	const values: vscode.InlineValue[] = [];
	const last = Math.min(context.stoppedLocation.end.line, document.lineCount - 1);
	let first = last;
	while (first > 0 && !/^func\b/.test(document.lineAt(first).text)) {
		first--;
	}
	for (let n = Math.max(first, viewPort.start.line); n <= Math.min(last, viewPort.end.line); n++) {
		// Neither texts nor comments nor fields behind a dot are variables.
		const code = document.lineAt(n).text.replace(/"(\\.|[^"\\])*"|`[^`]*`|'(\\.|[^'\\])+'|\/\/.*$/g, (s) => " ".repeat(s.length));
		const seen = new Set<string>();
		for (const m of code.matchAll(/(?<![\w.])[A-Za-z_]\w*(?!\w*\s*[(:]\w*[^=])/g)) {
			if (!keywords.has(m[0]) && !seen.has(m[0])) {
				seen.add(m[0]);
				values.push(new vscode.InlineValueVariableLookup(new vscode.Range(n, m.index!, n, m.index! + m[0].length), m[0], true));
			}
		}
	}
	return values;
}

interface Snapshot {
	id: number;
	title: string;
	line: number;
	goroutine: number;
	opened: boolean;
	source?: { path?: string; sourceReference?: number };
}

// Snapshots are those of all sessions. Above a line stands how many were taken
// there: a click opens one.
class Snapshots implements vscode.CodeLensProvider {
	private readonly changed = new vscode.EventEmitter<void>();
	readonly onDidChangeCodeLenses = this.changed.event;
	private readonly lists = new Map<vscode.DebugSession, Snapshot[]>();
	private soon: NodeJS.Timeout | undefined;

	take(e: vscode.DebugSessionCustomEvent) {
		if (e.session.type !== type) {
			return;
		}
		const list = this.lists.get(e.session) ?? [];
		if (e.event === "sidelight/snapshot") {
			list.push(e.body as Snapshot);
		} else if (e.event === "sidelight/dropped") {
			list.splice(list.findIndex((s) => s.id === e.body.id), 1);
		}
		this.lists.set(e.session, list);
		this.soon ??= setTimeout(() => {
			this.soon = undefined;
			this.changed.fire();
		}, 200);
	}

	forget(session: vscode.DebugSession) {
		this.lists.delete(session);
		this.changed.fire();
	}

	provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
		const lenses: vscode.CodeLens[] = [];
		for (const [session, all] of this.lists) {
			const lines = new Map<number, Snapshot[]>();
			for (const s of all.filter((s) => s.source?.path === document.uri.fsPath)) {
				lines.set(s.line, [...(lines.get(s.line) ?? []), s]);
			}
			for (const [line, list] of lines) {
				const latest = list[list.length - 1];
				const title = list.length === 1 ? latest.title : `${list.length} snapshots · latest ${latest.title.split(" · ").pop()}`;
				const range = new vscode.Range(line - 1, 0, line - 1, 0);
				lenses.push(new vscode.CodeLens(range, { title, command: "sidelight.openSnapshot", arguments: [session, list] }));
			}
		}
		return lenses;
	}

	async pick(session: vscode.DebugSession, list: Snapshot[]) {
		let id: number | undefined = list[0]?.id;
		if (list.length > 1) {
			const items = [...list].reverse().map((s) => ({ label: s.title, id: s.id }));
			id = (await vscode.window.showQuickPick(items, { placeHolder: "Which moment?" }))?.id;
		}
		if (id !== undefined) {
			await session.customRequest("sidelight/open", { id });
		}
	}
}
