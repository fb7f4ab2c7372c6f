/*
 * The page: puts the conversation, the menu and the bill together with the server. One message
 * is under way at a time; what is said meanwhile waits its turn.
 */
import { Bill } from "./bill.js";
import { Chat } from "./chat.js";
import { Client, Lost, Refused } from "./client.js";
import { Ears } from "./ears.js";
import { Menu } from "./menu.js";
import { Voice } from "./voice.js";

const byId = (id) => document.getElementById(id);
const client = new Client();
const chat = new Chat(byId("log"), byId("announce"));
const bill = new Bill({ onTip: tip, onPay: () => say("I'd like to pay, please") });
const menu = new Menu(say);
const voice = new Voice(() => byId("aloud").classList.toggle("speaking", voice.speaking));
const ears = new Ears(overhear, deaf);
const field = byId("message");

let greeting = "";
let waiting = []; /* { turn, asked, reply }: said while Maya was still answering */
let current = null; /* the AbortController of the turn under way */
let serving = Promise.resolve(); /* until nothing is under way or waiting */
let news = []; /* what happened in the session while we were busy */
let refilling = false;
let unwatch = () => {};
let spoken = null; /* what is being said into the microphone: { asked, text, reply, own } */

function showState(text, kind) {
  byId("state-text").textContent = text;
  byId("state").className = kind;
  byId("session-id").textContent = client.sessionId ? client.sessionId.slice(0, 8) : "new";
}

function showBusy(busy) {
  if (!busy && document.activeElement === byId("stop")) field.focus();
  byId("stop").hidden = !busy;
  byId("log").setAttribute("aria-busy", String(busy));
}

/* Why a request was refused, in words for a guest. */
function reason(error) {
  if (error instanceof Lost)
    return "I lost you there, and could not get you back.";
  if (!(error instanceof Refused)) return "Something went wrong on this page. Please reload it.";
  if (error.status === 413)
    return error.code === "session_memory_exceeded"
      ? "We have talked so much that I cannot remember any more. Please start over."
      : "That is more than I can take in at once. Could you say it shorter?";
  if (error.status === 429)
    return error.retryAfterS > 0
      ? `One at a time, please! Ask me again in ${error.retryAfterS} s.`
      : "One at a time, please! Ask me again in a moment.";
  return error.message || "That did not work. Please try again.";
}

/* Why the message waits, as Maya would say it. */
function fullWords(refused) {
  const crowd = ["session_limit", "memory_pressure", "insufficient_memory", ""];
  return crowd.includes(refused.code)
    ? "The bar is full right now. Hold on, you are next in line."
    : "Give me a moment, I am changing the barrel.";
}

function showBill(event) {
  if (Array.isArray(event.current_order)) bill.showOrder(event.current_order);
  if (event.payment_summary) bill.showTab(event.payment_summary);
}

/* The server's word on the order, where no event brought it. */
async function refreshBill() {
  try {
    showBill(await client.history());
  } catch {
    try {
      bill.showTab(await client.tab());
    } catch {
      /* the next answer will bring it */
    }
  }
}

/* Whoever speaks up is listened to. */
function hush() {
  client.hush();
  voice.hush();
}

function toggleAloud() {
  client.aloud = !client.aloud;
  byId("aloud").setAttribute("aria-pressed", String(client.aloud));
  if (client.aloud) {
    voice.speak();
  } else {
    hush();
    voice.silence();
  }
}

function say(text) {
  const words = text.trim();
  if (!words) return;
  hush();
  byId("hints").hidden = true;
  enqueue({ turn: client.message(words), asked: chat.addUser(words), reply: null });
}

function enqueue(said) {
  waiting.push(said);
  if (current) said.asked.element.classList.add("queued");
  else serving = serve();
}

async function serve() {
  while (waiting.length > 0) {
    const said = waiting.shift();
    said.asked.element.classList.remove("queued");
    said.reply ??= chat.beginReply(said.asked);
    current = new AbortController();
    showBusy(true);
    await takeTurn(said, current.signal);
    current = null;
  }
  showBusy(false);
  takeNews();
}

/* News of the session waits until our own answer is there: then we know what is our own. */
function hear(event) {
  news.push(event);
  takeNews();
}

function takeNews() {
  while (news.length > 0 && !current && !refilling) {
    const event = news.shift();
    if (event.type === "reload" || event.change === "reset") refill();
    else if (event.type === "ended") refreshBill();
    else if (event.type === "turn" && !client.isOwn(event)) showTurn(event);
    else if (event.type === "changed") showBill(event);
  }
}

/* What was said in this session elsewhere. */
function showTurn(event) {
  byId("hints").hidden = true;
  chat.addUser(event.user_input);
  chat.addReply(event.full_response);
  chat.announce(event.full_response);
  showBill(event);
}

/* The history as it is now, in place of what is shown. */
async function refill() {
  refilling = true;
  try {
    const past = await client.history();
    if (!current) {
      chat.clear();
      fill(past);
      news = news.filter((event) => !(event.turn <= past.turn));
    } else {
      news.unshift({ type: "reload" }); /* not under an answer that is coming */
    }
  } catch {
    /* what is shown stays */
  }
  refilling = false;
  takeNews();
}

/* Listen while the page is seen: a browser has few connections for all its tabs. */
function watch() {
  unwatch();
  unwatch = document.hidden ? () => {} : client.watch(hear);
}

/* What the page does with the news of a turn. */
function turnHooks(reply, onKnown) {
  return {
    connected() {
      reply.note("");
      showState("Maya is answering", "busy");
    },
    lost(tries, most) {
      reply.note(`Connection lost, trying again (${tries} of ${most})…`);
      showState("connection lost", "bad");
    },
    full(refused, seconds) {
      reply.hold(fullWords(refused), `I will ask again in ${seconds} s.`);
      showState("waiting for a place", "busy");
    },
    audio(event) {
      voice.hear(event);
    },
    event(event) {
      if (event.type === "session") reply.restart();
      else if (event.type === "text_chunk") reply.append(event.content ?? "");
      else if (event.type === "sentence") reply.sentence(event.content ?? "");
      else if (event.type === "error")
        reply.fail(event.content || "I cannot help with that. What drink can I get you?");
      else if (event.type === "complete") {
        reply.finish(event.full_response ?? event.content ?? "");
        if (event.current_order && event.payment_summary) onKnown();
        showBill(event);
      }
    },
  };
}

async function takeTurn(said, signal) {
  const { turn, reply } = said;
  let known = false;
  const hooks = turnHooks(reply, () => (known = true));
  showState("connecting", "busy");
  try {
    await client.turn(turn, hooks, signal);
    showState("connected", "good");
  } catch (error) {
    if (signal.aborted) {
      reply.fail("Stopped.");
      showState("connected", "good");
    } else {
      reply.fail(reason(error));
      if (error instanceof Lost) reply.offer("Try again", () => enqueue(said));
      showState(error instanceof Refused ? "connected" : "not connected", "bad");
    }
  }
  if (!known) await refreshBill();
}

/* Talking: what comes over the microphone's socket. */

/* The reply to what was said is there, or will not come. */
function endSpoken() {
  if (spoken?.own && current === spoken.own) {
    current = null;
    showBusy(false);
  }
  spoken = null;
  if (!current && waiting.length > 0) serving = serve();
  else takeNews();
}

function showTranscript({ text, final }) {
  if (!spoken || spoken.reply) {
    endSpoken();
    spoken = { asked: chat.addUser(""), text: "", reply: null, own: null };
  }
  spoken.text = text;
  spoken.asked.words.textContent = text;
  if (!final) return;
  if (!text) {
    spoken.asked.element.remove();
    spoken = null;
    return;
  }
  byId("hints").hidden = true;
  client.expect(text);
  spoken.reply = chat.beginReply(spoken.asked);
  if (!current) {
    spoken.own = new AbortController();
    spoken.own.signal.addEventListener("abort", () => ears.tell({ type: "stop" }));
    current = spoken.own;
    showBusy(true);
  }
}

function overhear(event) {
  const reply = spoken?.reply;
  if (event.type === "session") client.sessionId = event.session_id;
  else if (event.type === "listening") showState("listening", "good");
  else if (event.type === "speech_started") voice.hush();
  else if (event.type === "transcript") showTranscript(event);
  else if (event.type === "audio") voice.hear(event);
  else if (event.type === "interrupted") {
    voice.hush();
    if (event.undone && reply) {
      reply.fail("Stopped.");
      endSpoken();
    }
  } else if (event.type === "error" && !reply) showState(event.content, "bad");
  else if (reply) {
    if (event.type === "complete") client.known(event.turn, spoken.text);
    turnHooks(reply, () => {}).event(event);
    if (event.type === "complete" || event.type === "error") endSpoken();
  }
}

function deaf(why) {
  byId("listen").setAttribute("aria-pressed", "false");
  if (spoken?.reply) spoken.reply.fail(why || "Stopped.");
  else spoken?.asked.element.remove();
  endSpoken();
  voice.hush();
  if (!client.aloud) voice.silence();
  showState(why || "connected", why ? "bad" : "good");
}

async function toggleEars() {
  if (ears.open) {
    ears.close();
    return;
  }
  byId("listen").setAttribute("aria-pressed", "true");
  voice.speak();
  showState("connecting", "busy");
  try {
    await ears.listen(client.sessionId);
  } catch {
    deaf("The microphone cannot be used.");
  }
}

function stop() {
  hush();
  if (!current) return;
  for (const { asked } of waiting) {
    asked.element.classList.remove("queued");
    asked.note.textContent = "Not sent.";
    asked.note.hidden = false;
  }
  waiting = [];
  current.abort(new DOMException("stopped", "AbortError"));
  field.focus();
}

async function tip(percentage) {
  try {
    bill.showTab(await client.tip(percentage));
    chat.announce(`Tip of ${percentage} per cent.`);
    showState("connected", "good");
  } catch (error) {
    showState(error instanceof Refused ? reason(error) : "not connected", "bad");
  }
}

async function startOver() {
  ears.close();
  stop();
  await serving;
  try {
    await client.reset();
    chat.clear();
    await load();
  } catch (error) {
    showState(error instanceof Refused ? reason(error) : "not connected", "bad");
  }
  field.focus();
}

/* What the house is called and how Maya greets: without it the page's own words stand. */
async function loadAgent() {
  const agent = await client.agent();
  if (agent.name) {
    byId("agent").textContent = agent.name;
    chat.agentName = agent.name;
  }
  if (agent.house) byId("house").textContent = agent.house;
  if (agent.name && agent.house) document.title = `${agent.name} at ${agent.house}`;
  greeting = agent.greeting ?? "";
  byId("aloud").hidden = !agent.voice || !Voice.possible;
  byId("listen").hidden = !agent.ears?.ready || !Ears.possible;
}

async function loadHistory() {
  let past;
  try {
    past = await client.history();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "invalid_session_id") throw error;
    client.sessionId = ""; /* what the browser kept is no id: begin anew */
    past = await client.history();
  }
  return past;
}

/* The conversation so far, and its bill. */
function fill(past) {
  const said = past.history ?? [];
  if (greeting) chat.addReply(greeting);
  for (const { role, content } of said)
    if (role === "user") chat.addUser(content);
    else chat.addReply(content);
  byId("hints").hidden = said.length > 0;
  client.seenTurn = past.turn ?? 0;
  showBill(past);
}

/* Everything that the page shows at first. */
async function load() {
  showState("connecting", "busy");
  byId("reload").hidden = true;
  const results = await Promise.allSettled([
    loadAgent(),
    client.menu().then((all) => menu.show(all)),
    loadHistory(),
  ]);
  const failed = results.find((result) => result.status === "rejected");
  if (chat.empty) fill(results[2].value ?? {});
  else if (results[2].value) showBill(results[2].value);
  if (results[2].value) watch();
  byId("reload").hidden = !failed;
  if (!failed) showState("connected", "good");
  else showState(failed.reason instanceof Refused ? reason(failed.reason) : "not connected", "bad");
}

/* The field grows with its text, up to what style.css allows. */
function fitField() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}

function send(event) {
  event.preventDefault();
  if (!field.value.trim()) return;
  const text = field.value;
  field.value = "";
  fitField();
  say(text);
}

function listen() {
  byId("composer").addEventListener("submit", send);
  field.addEventListener("input", fitField);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  });
  byId("stop").addEventListener("click", stop);
  byId("aloud").addEventListener("click", toggleAloud);
  byId("listen").addEventListener("click", toggleEars);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (current || voice.speaking) && !byId("sure").open) stop();
  });
  for (const hint of document.querySelectorAll("#hints button"))
    hint.addEventListener("click", () => {
      say(hint.textContent);
      field.focus();
    });
  byId("start-over").addEventListener("click", () => byId("sure").showModal());
  byId("sure").addEventListener("close", () => {
    if (byId("sure").returnValue === "yes") startOver();
    byId("sure").returnValue = "";
  });
  byId("reload").addEventListener("click", load);
  document.addEventListener("visibilitychange", watch);
  addEventListener("offline", () => showState("no network", "bad"));
  addEventListener("online", () => {
    if (!current) load();
  });
}

listen();
load();
if (matchMedia("(hover: hover)").matches) field.focus(); /* not where it brings up a keyboard */
