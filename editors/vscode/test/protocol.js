// The whole protocol, spoken by VS Code's own test client with a real process,
// whose own clock proves that it ran on. Run it by "npm test"; SIDELIGHT and
// TARGET are the two programs.
"use strict";
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

const sidelight = process.env.SIDELIGHT, program = process.env.TARGET;
const source = fs.realpathSync(path.join(__dirname, "../../testdata/target/main.go"));
const lines = fs.readFileSync(source, "utf8").split("\n");
const line = (text) => lines.findIndex((l) => l.includes(text)) + 1;

// Target is a running process with a clock of its own.
class Target {
	static async start() {
		const t = new Target();
		t.child = spawn(program, [], { stdio: ["pipe", "pipe", "ignore"] });
		t.out = readline.createInterface({ input: t.child.stdout })[Symbol.asyncIterator]();
		assert.match(await t.line(), /^open /);
		t.pid = t.child.pid;
		return t;
	}
	async line() { return (await this.out.next()).value; }
	// gap is what its clock says since it was last asked.
	async gap() {
		this.child.stdin.write("gap\n");
		const [, ticks, , longest] = (await this.line()).split(" ");
		return { ticks: Number(ticks), longest: Number(longest) / 1000 };
	}
	stop() { this.child.stdin.end(); this.child.kill(); }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function attach(t, more = {}) {
	const c = new DebugClient(sidelight, "dap", "sidelight", undefined, true);
	await c.start();
	c.events = [];
	for (const name of ["output", "stopped", "thread", "breakpoint", "sidelight/snapshot"]) {
		c.on(name, (e) => c.events.push(e));
	}
	const initialized = c.waitForEvent("initialized", 10000);
	c.capabilities = (await c.initializeRequest()).body;
	await Promise.all([initialized, c.attachRequest({ target: t.pid, ...more })]);
	return c;
}

const set = async (c, breakpoints) =>
	(await c.setBreakpointsRequest({ source: { path: source }, breakpoints })).body.breakpoints;

// until waits for an event that fits, also one that has come already.
async function until(c, what, fits, from = 0) {
	for (let i = 0; i < 1000; i++) {
		const found = c.events.slice(from).find(fits);
		if (found) return found;
		await sleep(10);
	}
	assert.fail(`${what} did not come: ${JSON.stringify(c.events.slice(-5))}`);
}

const message = (e) => e.event === "output" && e.body.category === "stdout";

// run gives a scenario a target, and says at the end that it was never stopped.
// A neighbour of this machine may take the processor away for a while: what a
// stop would do is last as long as the snapshot is looked at, a second and
// more.
function scenario(name, steps) {
	test(name, { timeout: 60000 }, async () => {
		const t = await Target.start();
		try {
			await steps(t);
			const gap = await t.gap();
			assert.ok(gap.longest < 700, `the process stood still for ${gap.longest} ms`);
		} finally {
			t.stop();
		}
	});
}

scenario("logpoints, with conditions, hit counts and values to unfold", async (t) => {
	const c = await attach(t);
	const at = line("revenue += total");
	const got = await set(c, [{ line: at, logMessage: "order {o.ID} total {total}", condition: "o.ID % 2 == 0", hitCondition: "% 5" }]);
	assert.equal(got[0].verified, true);
	const ids = [];
	for (let n = 0, from = 0; n < 3; n++) {
		const e = await until(c, "a message", message, from);
		from = c.events.indexOf(e) + 1;
		assert.equal(e.body.source.path, source);
		assert.equal(e.body.line, at);
		ids.push(Number(/^order (\d+) total \d+\n$/.exec(e.body.output)[1]));
		if (n === 0) {
			const root = (await c.variablesRequest({ variablesReference: e.body.variablesReference })).body.variables;
			assert.equal(root.length, 1);
			const values = (await c.variablesRequest({ variablesReference: root[0].variablesReference })).body.variables;
			assert.deepEqual(values.map((v) => v.name), ["o.ID", "total"]);
		}
	}
	assert.deepEqual([ids[1] - ids[0], ids[2] - ids[1]], [10, 10]);
	await until(c, "the hits", (e) => e.event === "breakpoint" && /\d+ hits/.test(e.body.breakpoint.message ?? ""));
	await c.disconnectRequest();
	c.stopAdapter();
});

scenario("snapshots as stops that stop nothing", async (t) => {
	const c = await attach(t, { watch: ["len(o.Items)"] });
	const at = line("revenue += total");
	await set(c, [{ line: at, condition: "o.ID % 5 == 0" }]);
	await c.configurationDoneRequest();
	const stop = await until(c, "the stop", (e) => e.event === "stopped");
	assert.deepEqual([stop.body.reason, stop.body.description, stop.body.allThreadsStopped], ["breakpoint", "SNAPSHOT · LIVE", false]);
	await t.gap();
	const threads = (await c.threadsRequest()).body.threads;
	assert.match(threads.find((th) => th.id === stop.body.threadId).name, /^snapshot 1 · goroutine \d+ · \d\d:\d\d:\d\d$/);
	const stack = (await c.stackTraceRequest({ threadId: stop.body.threadId })).body.stackFrames;
	assert.equal(stack[0].name, "main.record");
	assert.equal(stack[0].line, at);
	assert.equal(stack[0].source.path, source);
	assert.equal(stack[1].name, "main.serve");

	const scopes = (await c.scopesRequest({ frameId: stack[0].id })).body.scopes;
	const args = (await c.variablesRequest({ variablesReference: scopes.find((s) => s.name === "Arguments").variablesReference })).body.variables;
	const o = args.find((v) => v.name === "o");
	const fields = (await c.variablesRequest({ variablesReference: o.variablesReference })).body.variables;
	assert.deepEqual(fields.map((v) => v.name), ["ID", "Name", "Items", "Notes", "Err"]);
	const items = fields.find((v) => v.name === "Items");
	assert.equal(items.indexedVariables, 2);
	const page = (await c.variablesRequest({ variablesReference: items.variablesReference, filter: "indexed", start: 1, count: 1 })).body.variables;
	assert.equal(page.length, 1);
	assert.equal(page[0].evaluateName, "o.Items[1]");
	const watches = (await c.variablesRequest({ variablesReference: scopes.find((s) => s.name === "Watches").variablesReference })).body.variables;
	assert.deepEqual([watches[0].name, watches[0].value], ["len(o.Items)", "2"]);

	const ask = async (expression, context = "watch") =>
		(await c.evaluateRequest({ expression, frameId: stack[0].id, context })).body.result;
	const id = Number(await ask("o.ID", "hover"));
	assert.equal(id % 5, 0);
	assert.equal(await ask("o.Items[1].SKU", "repl"), '"croissant"');
	assert.equal(await ask("o.Items[1].Qty == 2 && o != nil"), "true");
	assert.equal(await ask('o.Notes["table"]'), String(id % 9));
	assert.match(await ask("o.Err"), /sold out/);
	assert.equal(await ask("o.ID"), String(id), "a snapshot changes");
	await assert.rejects(ask("nobody"), /not captured/);

	// While the editor shows a stop, the process ticks on.
	await sleep(1000);
	const gap = await t.gap();
	assert.ok(gap.ticks > 300 && gap.longest < 700, `while "stopped": ${JSON.stringify(gap)}`);

	// Further snapshots wait; steps walk to them; continue shows the next hit.
	await until(c, "a snapshot that waits", (e) => e.event === "sidelight/snapshot" && e.body.id === 2 && !e.body.opened);
	let from = c.events.length;
	await c.nextRequest({ threadId: stop.body.threadId });
	await until(c, "the step", (e) => e.event === "stopped" && e.body.reason === "step", from);
	const second = (await c.stackTraceRequest({ threadId: stop.body.threadId })).body.stackFrames;
	assert.notEqual((await c.evaluateRequest({ expression: "o.ID", frameId: second[0].id })).body.result, String(id));
	from = c.events.length;
	await c.stepBackRequest({ threadId: stop.body.threadId });
	await until(c, "the step back", (e) => e.event === "stopped", from);
	from = c.events.length;
	assert.equal((await c.continueRequest({ threadId: stop.body.threadId })).body.allThreadsContinued, false);
	await until(c, "the thread's end", (e) => e.event === "thread" && e.body.reason === "exited", from);
	await until(c, "the next stop", (e) => e.event === "stopped" && e.body.threadId !== stop.body.threadId, from);
	await c.disconnectRequest();
	c.stopAdapter();
});

scenario("places that are none, functions, and hit counts", async (t) => {
	const c = await attach(t);
	const empty = line("pays %d for") + 1;
	const got = await set(c, [
		{ line: empty }, { line: line("type Item struct") }, { line: line("return total"), logMessage: "{nothing}" },
		{ line: line("return total"), hitCondition: "sometimes" }, { line: line("sum += item"), logMessage: "so far {sum}", hitCondition: "3" },
	]);
	assert.deepEqual([got[0].verified, got[0].line], [true, empty + 1]);
	assert.match(got[0].message, /moved to/);
	assert.equal(got[1].verified, false);
	assert.match(got[1].message, /no code/);
	assert.equal(got[2].verified, false);
	assert.match(got[2].message, /nothing named nothing|no .*nothing/);
	assert.equal(got[3].verified, false);
	assert.match(got[3].message, /hit count/);
	assert.equal(got[4].verified, true, got[4].message);
	await until(c, "the third hit", (e) => e.event === "breakpoint" && /hit 3 came/.test(e.body.breakpoint.message ?? ""));
	assert.equal(c.events.filter(message).length, 1);

	const functions = (await c.setFunctionBreakpointsRequest({ breakpoints: [{ name: "main.price", hitCondition: "> 3" }, { name: "main.prize" }] })).body.breakpoints;
	assert.deepEqual(functions.map((b) => b.verified), [true, false]);
	assert.match(functions[1].message, /main.price/);
	const stop = await until(c, "the function's stop", (e) => e.event === "stopped" && e.body.hitBreakpointIds[0] === functions[0].id);
	const stack = (await c.stackTraceRequest({ threadId: stop.body.threadId })).body.stackFrames;
	assert.deepEqual(stack.slice(0, 2).map((f) => f.name), ["main.price", "main.record"]);
	const up = (await c.scopesRequest({ frameId: stack[1].id })).body.scopes;
	assert.ok(up.some((s) => s.name === "Arguments"));

	const say = async (expression) => (await c.evaluateRequest({ expression, context: "repl" })).body.result;
	assert.match(await say("count main.record for 1s"), /^counting main.record for 1s$/);
	await until(c, "the count", (e) => e.event === "output" && /main.record: \d+ hits in/.test(e.body.output));
	assert.match(await say("where main.price"), /main.price/);
	assert.match(await say("probes"), /snapshot +main.price: \d+ hits/);
	await c.disconnectRequest();
	c.stopAdapter();
});

// An editor that is killed leaves nothing behind, and another's probes alone.
scenario("two editors on one process, one killed", async (t) => {
	const [a, b] = [await attach(t), await attach(t)];
	await set(a, [{ line: line("total -= total"), logMessage: "a" }]);
	await set(b, [{ line: line("return sum"), logMessage: "b {sum}" }]);
	await until(b, "a message", message);
	const taken = await set(b, [{ line: line("return sum"), logMessage: "b {sum}" }, { line: line("total -= total"), logMessage: "mine" }]);
	assert.deepEqual(taken.map((p) => p.verified), [true, false]);
	assert.match(taken[1].message, /in use by another/);
	a._adapterProcess.kill("SIGKILL");
	const from = b.events.length;
	await until(b, "a message after the other's death", message, from);
	for (let i = 0; ; i++) {
		await set(b, [{ line: line("return sum"), logMessage: "b {sum}" }]);
		const again = await set(b, [{ line: line("return sum"), logMessage: "b {sum}" }, { line: line("total -= total"), logMessage: "mine" }]);
		if (again[1].verified) break;
		assert.ok(i < 50, again[1].message);
		await sleep(100);
	}
	await b.disconnectRequest();
	b.stopAdapter();
});
