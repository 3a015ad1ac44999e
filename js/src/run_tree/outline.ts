// The rows of the tree and its totals, from the log, the position, the folded runs and the filter.
import type { Position, Run, Status } from "./run";
import type { Tape } from "./updates";

/** A row of the tree; `place` counts from 1 among the `size` rows that share its parent. */
export interface Row {
  run: Run;
  /** The run of the row that this one is below. */
  above: Run | null;
  /** 1 for the root's row, 2 for those below it. */
  level: number;
  /** The key of the branch that the run is, with the wrappers that are left out. */
  branch: string;
  place: number;
  size: number;
  opens: "no" | "open" | "closed";
  /** Whether the run itself matches the filter, and not only one below it. */
  hit: boolean;
}

export interface Filter {
  name: string;
  kind: string;
  failed: boolean;
}

/** Other names say something; notebook/run_tree/static.py has the same rule. */
const WRAPPERS = new Set(["RunnableSequence", "RunnableRetry", "RunnableWithFallbacks"]);

export const NO_FILTER: Filter = { name: "", kind: "", failed: false };

export function isFiltering(filter: Filter): boolean {
  return filter.name !== "" || filter.kind !== "" || filter.failed;
}

/** The rows from top to bottom, without wrappers that add nothing; a filter opens what is folded up
    and shows all that matches. */
export function outline(tape: Tape, at: Position, closed: ReadonlySet<Run>, filter: Filter): Row[] {
  const { root } = tape;
  if (!root || root.since > at) return [];
  const asked = isFiltering(filter) ? ask(tape, at, filter) : null;
  const rows: Row[] = [];
  // A stack of its own: a log may be nested deeper than the browser's.
  const stack: Row[] = asked && !asked.kept[0] ? [] : [rowOf(root, at, null, 1, 1, asked)];
  for (let row = stack.pop(); row; row = stack.pop()) {
    rows.push(row);
    const children = childrenOf(row.run, at, asked);
    if (!children.length) continue;
    row.opens = !asked && closed.has(row.run) ? "closed" : "open";
    if (row.opens === "closed") continue;
    for (let place = children.length; place > 0; place -= 1) {
      stack.push(rowOf(children[place - 1] as Run, at, row, place, children.length, asked));
    }
  }
  return rows;
}

/** The runs of the log at a position. */
export function runsAt(tape: Tape, at: Position): Run[] {
  const last = tape.runs.at(-1);
  return !last || last.since <= at ? tape.runs : tape.runs.filter((run) => run.since <= at);
}

interface Asked {
  hits: boolean[];
  kept: boolean[];
}

/** By index of run: whether it matches, and whether it or one below it does. */
function ask(tape: Tape, at: Position, filter: Filter): Asked {
  const runs = runsAt(tape, at);
  const name = filter.name.toLowerCase();
  const hits = runs.map((run) => matches(run, at, filter, name));
  const kept = [...hits];
  for (let index = runs.length - 1; index > 0; index -= 1) {
    const parent = runs[index]?.parent;
    if (kept[index] && parent) kept[parent.index] = true;
  }
  return { hits, kept };
}

function matches(run: Run, at: Position, filter: Filter, name: string): boolean {
  if (filter.kind && run.about.kind !== filter.kind) return false;
  if (filter.failed && run.statusAt(at) !== "failed") return false;
  return titleOf(run.about.name, run.about.branch).toLowerCase().includes(name);
}

function childrenOf(run: Run, at: Position, asked: Asked | null): Run[] {
  const count = run.childrenAt(at);
  const children = count === run.children.length ? run.children : run.children.slice(0, count);
  return asked ? children.filter((child) => asked.kept[child.index]) : children;
}

function rowOf(
  outer: Run,
  at: Position,
  above: Row | null,
  place: number,
  size: number,
  asked: Asked | null,
): Row {
  let run = outer;
  let { branch } = outer.about;
  while (!asked && above && addsNothing(run, at)) {
    run = run.children[0] as Run;
    branch ||= run.about.branch;
  }
  const [level, hit] = [above ? above.level + 1 : 1, !asked || asked.hits[run.index] === true];
  return { run, above: above?.run ?? null, level, branch, place, size, opens: "no", hit };
}

/** Whether a run is an ended wrapper of one run with the same outcome. One that runs may start
    another run yet, and rows that come and go are hard to read. */
function addsNothing(run: Run, at: Position): boolean {
  const [only] = run.children;
  if (!only || run.childrenAt(at) !== 1 || run.about.kind !== "chain") return false;
  // A retry of a named tool has its name; a function of that name may have called itself.
  const hasItsName = run.about.name === only.about.name && only.about.kind !== "chain";
  if (!hasItsName && !WRAPPERS.has(run.about.name)) return false;
  const status = run.statusAt(at);
  return status !== "running" && status === only.statusAt(at);
}

/** A run's name with the key of its branch. */
export function titleOf(name: string, branch: string): string {
  return branch ? `${branch}: ${name}` : name;
}

export interface Totals {
  runs: number;
  calls: number;
  failed: number;
  running: number;
  input: number;
  output: number;
  cost: number;
}

/** The totals of the log. Only model calls without one below them count, or a call that wraps another
    would count twice. */
export function totals(tape: Tape, at: Position): Totals {
  const runs = runsAt(tape, at);
  const sum: Totals = { runs: runs.length, calls: 0, failed: 0, running: 0, input: 0, output: 0, cost: 0 };
  const above = runs.map(() => false);
  for (let index = runs.length - 1; index >= 0; index -= 1) {
    const run = runs[index] as Run;
    const isCall = run.about.kind === "llm";
    if (run.parent && (isCall || above[index])) above[run.parent.index] = true;
    count(run.statusAt(at), sum);
    if (isCall && !above[index]) add(run, at, sum);
  }
  return sum;
}

function count(status: Status, sum: Totals): void {
  if (status === "failed") sum.failed += 1;
  if (status === "running") sum.running += 1;
}

function add(run: Run, at: Position, sum: Totals): void {
  const usage = run.usageAt(at);
  sum.calls += 1;
  sum.input += usage?.input ?? 0;
  sum.output += usage?.output ?? 0;
  sum.cost += run.costAt(at) ?? 0;
}
