/*
 * Only with `maya serve --reload`: this page comes anew when one of its files, or the server,
 * has changed. What stands in the field stays there, and an answer under way is waited for.
 */
const LOOK_MS = 500;
const DRAFT_KEY = "maya_draft";
const field = document.getElementById("message");
const log = document.getElementById("log");
let seen = "";

async function look() {
  try {
    const response = await fetch("/reload.id", { cache: "no-store" });
    if (!response.ok) return;
    const id = await response.text();
    if (!seen) seen = id;
    if (id === seen || log.getAttribute("aria-busy") === "true") return;
    sessionStorage.setItem(DRAFT_KEY, field.value);
    location.reload();
  } catch {
    /* nobody listens just now: the next look will tell */
  }
}

const draft = sessionStorage.getItem(DRAFT_KEY);
if (draft && !field.value) field.value = draft;
sessionStorage.removeItem(DRAFT_KEY);
setInterval(look, LOOK_MS);
