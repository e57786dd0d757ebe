// The main way through a real VS Code: code-server in headless Chromium, with
// the extension as it is packed, on a process whose own clock proves that it ran
// on. Takes pictures. .ci/editors installs what it needs and runs it.
//
// Environment: SIDELIGHT and TARGET, the two programs; VSIX, the extension;
// CODE_SERVER and CHROMIUM, what to run; PICTURES, a folder for screenshots.
"use strict";
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { spawn, execFileSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const env = (name) => process.env[name] ?? assert.fail(`${name} is not set`);
const folder = fs.realpathSync(path.join(__dirname, "../../testdata/target"));
const lines = fs.readFileSync(path.join(folder, "main.go"), "utf8").split("\n");
const line = (text) => lines.findIndex((l) => l.includes(text)) + 1;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const freePort = () => new Promise((resolve) => {
	const s = net.createServer().listen(0, "127.0.0.1", () => {
		const { port } = s.address();
		s.close(() => resolve(port));
	});
});

class Target {
	constructor() {
		this.child = spawn(env("TARGET"), [], { stdio: ["pipe", "pipe", "ignore"] });
		this.out = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
	}
	async line() { return (await this.out.next()).value; }
	async gap() {
		this.child.stdin.write("gap\n");
		const [, ticks, , longest] = (await this.line()).split(" ");
		return { ticks: Number(ticks), longest: Number(longest) / 1000 };
	}
}

// codeServer runs VS Code's workbench with a home of its own.
async function codeServer(pid) {
	const home = fs.mkdtempSync(path.join(os.tmpdir(), "sidelight-vscode-"));
	const user = path.join(home, "user"), extensions = path.join(home, "extensions");
	fs.mkdirSync(path.join(user, "User"), { recursive: true });
	fs.mkdirSync(path.join(user, "Machine"), { recursive: true }); // where the process runs
	fs.writeFileSync(path.join(user, "Machine/settings.json"), JSON.stringify({ "sidelight.path": env("SIDELIGHT") }));
	fs.writeFileSync(path.join(user, "User/settings.json"), JSON.stringify({
		"launch": { version: "0.2.0", configurations: [
			{ type: "sidelight", request: "attach", name: "Sidelight", target: String(pid), watch: ["len(o.Items)"] }] },
		"workbench.startupEditor": "none", "workbench.colorTheme": "Default Light Modern", "security.workspace.trust.enabled": false,
		"editor.minimap.enabled": false, "window.commandCenter": false, "telemetry.telemetryLevel": "off", "workbench.tips.enabled": false,
		"chat.commandCenter.enabled": false, "workbench.secondarySideBar.defaultVisibility": "hidden", "debug.console.fontSize": 12,
		"git.enabled": false, "files.autoSave": "off", "files.readonlyInclude": { "**": true }, "debug.internalConsoleOptions": "openOnSessionStart", "chat.disableAIFeatures": true,
	}));
	const own = { ...process.env, HOME: home };
	const dirs = ["--user-data-dir", user, "--extensions-dir", extensions];
	execFileSync(env("CODE_SERVER"), [...dirs, "--install-extension", env("VSIX")], { env: own, stdio: "pipe" });
	const port = await freePort();
	const child = spawn(env("CODE_SERVER"), ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry",
		"--disable-update-check", "--disable-workspace-trust", ...dirs, folder], { env: own, stdio: "pipe", detached: true });
	await new Promise((resolve, reject) => {
		child.stdout.on("data", (d) => /HTTP server listening/.test(d) && resolve());
		child.on("exit", (code) => reject(new Error(`code-server ended with ${code}`)));
		setTimeout(() => reject(new Error("code-server does not start")), 60000).unref();
	});
	return { url: `http://127.0.0.1:${port}/?folder=${folder}`, stop() {
		try { process.kill(-child.pid); } catch { /* it has ended */ }
		fs.rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
	} };
}

test("a logpoint and a breakpoint in VS Code, while the process runs on", { timeout: 480000 }, async () => {
	const t = new Target();
	assert.match(await t.line(), /^open /);
	const server = await codeServer(t.child.pid);
	const browser = await chromium.launch({ executablePath: env("CHROMIUM"), args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
	const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
	const picture = async (name) => {
		if (process.env.PICTURES) await page.screenshot({ path: path.join(process.env.PICTURES, name) });
	};
	const command = async (text) => {
		const input = page.locator(".quick-input-widget input").first();
		for (let n = 0; n < 10; n++) {
			await page.keyboard.press("F1");
			if (await input.waitFor({ timeout: 2000 }).then(() => true, () => false)) break;
		}
		await input.fill(">" + text);
		await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: text.split(": ").pop() }).first().waitFor();
		await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
		await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: text.split(": ").pop() }).first().click();
	};
	const shows = (selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 90000 });
	try {
		await page.goto(server.url);
		await page.locator(".monaco-workbench").waitFor({ timeout: 60000 });
		await page.locator(".explorer-folders-view .monaco-list-row").filter({ hasText: "main.go" }).dblclick({ timeout: 60000 });
		await page.locator(".view-line").first().waitFor();

		// A logpoint from the menu of the gutter.
		const gutter = async (n) => {
			await page.keyboard.press("Control+G");
			await page.locator(".quick-input-widget input").fill(`:${n}`);
			await page.keyboard.press("Enter");
			await sleep(500);
			const number = page.locator(".margin-view-overlays .line-numbers").filter({ hasText: new RegExp(`^${n}$`) }).first();
			const box = await number.boundingBox();
			const margin = await page.locator(".editor-instance .margin").first().boundingBox();
			return { x: margin.x + 9, y: box.y + box.height / 2 };
		};
		const at = line("revenue += total");
		let spot = await gutter(at);
		for (const end = Date.now() + 90000; ; await page.keyboard.press("Escape")) { // until the extensions are known
			await page.mouse.click(spot.x, spot.y, { button: "right" });
			const item = page.getByText("Add Logpoint").first();
			if (await item.waitFor({ timeout: 2000 }).then(() => true, () => false)) {
				await item.click();
				break;
			}
			assert.ok(Date.now() < end, "the gutter has no menu for logpoints");
		}
		const widget = page.locator(".breakpoint-widget .monaco-editor .view-lines").first();
		await widget.click();
		await page.keyboard.type("order {o.ID} of {name}: {total}", { delay: 20 });
		await widget.filter({ hasText: "total}" }).waitFor();
		await page.keyboard.press("Enter");
		await page.locator(".codicon-debug-breakpoint-log, .codicon-debug-breakpoint-log-unverified").first().waitFor();
		await command("Debug: Select and Start Debugging");
		await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: "Sidelight" }).first().click();
		await shows(".repl", /order \d+ of customer \d: \d+/);
		await shows(".repl .source, .repl .monaco-list-row", `main.go:${at}`);
		await sleep(1000);
		await picture("vscode-logpoint.png");

		// A breakpoint: the editor shows a stop, the process runs on.
		spot = await gutter(line("for order"));
		await page.mouse.click(spot.x, spot.y);
		await shows(".debug-call-stack", "SNAPSHOT");
		await t.gap();
		await shows(".debug-call-stack", /snapshot 1 · goroutine \d+/);
		const unfold = async (pane, text) => {
			const row = page.locator(`${pane} .monaco-list-row`).filter({ hasText: text }).first();
			await row.waitFor({ timeout: 30000 });
			if (await row.getAttribute("aria-expanded") === "false") {
				await row.locator(".monaco-tl-twistie").click();
			}
		};
		await unfold(".debug-call-stack", "snapshot 1");
		await shows(".debug-call-stack", "main.record");
		await unfold(".debug-variables", "Arguments");
		await unfold(".debug-variables", /^o/);
		await shows(".debug-variables .monaco-list-row", /^ID/);
		await shows(".debug-variables .monaco-list-row", /alice/);
		await page.mouse.move(900, 620);

		// Values in the lines, and under the mouse.
		await shows(".view-lines", /total\s=\s\d+/);
		await page.locator(".view-line").filter({ hasText: "for order" }).getByText("total").first().hover();
		await page.locator(".debug-hover-widget").filter({ hasText: /\d+/ }).first().waitFor();
		await picture("vscode-snapshot.png");
		await page.mouse.move(900, 620);

		// Messages went on while it "stood", and its clock.
		const before = await page.locator(".repl .monaco-list-row").last().innerText();
		await sleep(2500);
		assert.notEqual(await page.locator(".repl .monaco-list-row").last().innerText(), before, "no message while a snapshot is shown");
		const gap = await t.gap();
		assert.ok(gap.ticks > 1000 && gap.longest < 1500, JSON.stringify(gap));

		// Stored values in the console, then the next moment.
		await page.locator(".repl-input-wrapper .view-lines, .repl .repl-input-wrapper").first().click();
		await page.keyboard.type("o.Items[1].SKU");
		await page.keyboard.press("Enter");
		const filter = page.locator(".panel .viewpane-filter input, .panel .monaco-findInput input").first();
		await filter.fill("croissant"); // messages come fast
		await shows(".repl .monaco-list-row", '"croissant"');
		await filter.fill("");
		await command("Debug: Continue");
		await shows(".debug-call-stack", /snapshot ([2-9]|\d\d) · goroutine/);
		await command("Debug: Disconnect");
		await shows(".monaco-workbench:not(:has(.debug-toolbar:visible))", /.*/).catch(() => {});
		await sleep(1000);
		console.log("the process's longest gap while a snapshot was shown:", gap.longest, "ms in", gap.ticks, "ticks");
	} catch (err) {
		await picture("failed.png");
		throw err;
	} finally {
		await browser.close();
		server.stop();
		t.child.stdin.end();
		t.child.kill();
	}
});
