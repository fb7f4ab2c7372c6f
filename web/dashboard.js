/*
 * The dashboard: what the containers of this app say of themselves at /metrics. Behind a gateway
 * each answer may come from another one, which says who it is; so a few questions a look go out,
 * and figures are compared with earlier ones of the same container.
 */
const LOOK_MS = 2000;
const SPAN_MS = 30000; // rates are over so long
const LATE_MS = 15000; // a container that did not answer for so long may be gone
const GONE_MS = 60000;
const ASK_MOST = 8;
const RUNGS = ["takes new sessions", "gives caches back", "hibernates sessions", "refuses new sessions",
  "refuses new sessions"];
const at = (id) => document.getElementById(id);
const containers = new Map(); // who -> { samples, card }
let answered = 0;

/* Name -> [{ labels, value }] of the Prometheus text format. */
function parse(text) {
  const all = new Map();
  for (const line of text.split("\n")) {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries(
      [...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
    if (!all.has(found[1])) all.set(found[1], []);
    all.get(found[1]).push({ labels, value: Number(found[3]) });
  }
  return all;
}

const series = (all, name) => all.get(`maya_${name}`) ?? [];
const one = (all, name) => series(all, name)[0]?.value ?? 0;
const sum = (all, name, only = () => true) =>
  series(all, name).filter((s) => only(s.labels)).reduce((n, s) => n + s.value, 0);
const done = (all) => sum(all, "turns_total", (l) => l.outcome === "completed");

/* Seconds within which nine of ten were; null: there were none. */
function within(now, before) {
  const earlier = (le) => (before ? sum(before, "turn_first_word_seconds_bucket", (l) => l.le === le) : 0);
  const buckets = series(now, "turn_first_word_seconds_bucket")
    .map((s) => ({ le: s.labels.le, count: s.value - earlier(s.labels.le) }));
  const all = buckets.at(-1)?.count ?? 0;
  return all > 0 ? buckets.find((b) => b.count >= 0.9 * all).le : null;
}

const whole = (n) => Math.round(n).toLocaleString("en");
const rate = (n) => n.toLocaleString("en", { maximumFractionDigits: n < 10 ? 1 : 0 });

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${n.toLocaleString("en", { maximumFractionDigits: n < 10 && i ? 1 : 0 })} ${units[i]}`;
}

function time(s) {
  if (s < 120) return `${whole(s)} s`;
  if (s < 7200) return `${whole(s / 60)} min`;
  return s < 172800 ? `${whole(s / 3600)} h` : `${whole(s / 86400)} days`;
}

function first(le) {
  if (le === null) return "–";
  if (le === "+Inf") return "more than 30 s";
  return le < 1 ? `${rate(le * 1000)} ms` : `${rate(Number(le))} s`;
}

/* What came of one answer: figures, and what the samples of the span say together. */
function figures(samples) {
  const now = samples.at(-1), before = samples[0];
  const span = (now.ms - before.ms) / 1000;
  return {
    all: now.all,
    turns: span > 0 ? (done(now.all) - done(before.all)) / span : 0,
    cpu: span > 0 ? (one(now.all, "container_cpu_usage_seconds_total") -
                     one(before.all, "container_cpu_usage_seconds_total")) / span : 0,
    first: within(now.all, before === now ? null : before.all) ?? within(now.all, null),
  };
}

function pairs(list, rows) {
  list.replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement("div");
    for (const [tag, text] of [["dt", name], ["dd", value]]) {
      row.append(Object.assign(document.createElement(tag), { textContent: text }));
    }
    return row;
  }));
}

function condition(all) {
  const failed = series(all, "healthy").filter((s) => s.value === 0).map((s) => s.labels.check);
  if (failed.length) return ["bad", `not well: ${failed.join(", ")}`];
  const rung = one(all, "container_memory_rung");
  if (rung > 0) return [rung > 2 ? "bad" : "busy", `memory is short: ${RUNGS[rung]}`];
  const full = one(all, "active_sessions") >= one(all, "max_sessions");
  return full ? ["busy", "full: sessions that are idle make room"] : ["good", RUNGS[0]];
}

function measure(card, name, text, share) {
  card.querySelector(`.${name}`).textContent = text;
  const fill = card.querySelector(`.fill-${name}`);
  fill.style.width = `${Math.min(100, 100 * (share || 0))}%`;
  fill.closest(".measure").classList.toggle("full", share >= 0.9);
}

function draw(who, it, now) {
  const { all, turns, cpu, first: le } = figures(it.samples);
  const [lamp, words] = condition(all);
  const late = now - it.samples.at(-1).ms > LATE_MS;
  const card = it.card;
  card.querySelector("h2").textContent = who;
  card.querySelector(".admits").className = `admits ${late ? "busy" : lamp}`;
  card.querySelector(".condition").textContent =
    late ? `has not answered for ${time((now - it.samples.at(-1).ms) / 1000)}` : words;
  const active = one(all, "active_sessions"), most = one(all, "max_sessions");
  measure(card, "sessions", `${whole(active)} of ${whole(most)}`, active / most);
  const used = one(all, "container_memory_usage_bytes"), limit = one(all, "container_memory_limit_bytes");
  measure(card, "memory", `${bytes(used)} of ${bytes(limit)}`, used / limit);
  pairs(card.querySelector(".figures"), [
    ["Memory left", bytes(one(all, "container_memory_available_bytes"))],
    ["Promised to sessions", bytes(one(all, "sessions_reserved_bytes"))],
    ["Turns a second", rate(turns)],
    ["Turns now", whole(one(all, "turns_in_progress"))],
    ["First word, nine of ten within", first(le)],
    ["Sessions refused", whole(sum(all, "sessions_rejected_total"))],
    ["Cores in use", cpu.toFixed(2)],
    ["Runs for", time(one(all, "process_uptime_seconds"))],
    ["Version", series(all, "build_info")[0]?.labels.version ?? "–"],
  ]);
  pairs(card.querySelector(".parts"), [...series(all, "process_memory_bytes")]
    .sort((a, b) => b.value - a.value)
    .map((s) => [s.labels.part.replaceAll("_", " "), bytes(s.value)]));
}

function drawAll(now) {
  for (const [who, it] of containers) {
    if (now - it.samples.at(-1).ms > GONE_MS) {
      it.card.remove();
      containers.delete(who);
    } else {
      draw(who, it, now);
    }
  }
  const each = [...containers.values()].map((it) => figures(it.samples));
  const total = (name) => each.reduce((n, f) => n + one(f.all, name), 0);
  const slowest = each.map((f) => f.first).filter((le) => le !== null).sort((a, b) => Number(b) - Number(a));
  at("all-containers").textContent = whole(each.length);
  at("all-sessions").textContent = `${whole(total("active_sessions"))} of ${whole(total("max_sessions"))}`;
  at("all-turns").textContent = rate(each.reduce((n, f) => n + f.turns, 0));
  at("all-first").textContent = first(slowest.includes("+Inf") ? "+Inf" : slowest[0] ?? null);
  const lost = !answered || now - answered > LATE_MS;
  at("state").className = lost ? "bad" : "good";
  at("state-text").textContent = lost ? "nobody answers; asked again" : "as of now";
}

async function ask() {
  const response = await fetch("/metrics", { cache: "no-store" });
  if (!response.ok) throw new Error(String(response.status));
  const all = parse(await response.text()), now = performance.now();
  const who = response.headers.get("x-container") ?? "This container";
  if (!containers.has(who)) {
    const card = at("container").content.firstElementChild.cloneNode(true);
    containers.set(who, { samples: [], card });
    const after = [...containers.keys()].filter((other) => other > who).sort()[0];
    at("containers").insertBefore(card, after ? containers.get(after).card : null);
  }
  const it = containers.get(who), last = it.samples.at(-1);
  // Another process: what it counted begins anew.
  if (last && one(all, "process_uptime_seconds") < one(last.all, "process_uptime_seconds")) it.samples = [];
  it.samples.push({ all, ms: now });
  while (it.samples.length > 2 && now - it.samples[0].ms > SPAN_MS) it.samples.shift();
  answered = now;
}

async function look() {
  const times = Math.min(ASK_MOST, containers.size + 1);
  for (let i = 0; i < times; i++) await ask().catch(() => {});
  drawAll(performance.now());
  setTimeout(look, LOOK_MS);
}

fetch("/api/v1/agent").then((r) => r.json()).then((who) => {
  at("agent").textContent = who.name;
  at("house").textContent = who.house;
  document.title = `${who.name} at ${who.house}: dashboard`;
}).catch(() => {});
look();
