// Whether the server answers: told at the top of the page where it does not, and what is done about it once it does.
// A page that an earlier run of the server made is loaded anew, since its events would lead nowhere. Gradio may be the
// first to do so. Either way `choirmaster-restarted` tells the Sing tab to bring back what was typed.
import { session } from "./storage.js";
import { bringBackTyped, forgetTyped, keepTyped } from "./typed.js";

const EVERY = 3000; // milliseconds between two looks while the page is seen
const PATIENCE = 5000; // milliseconds in which the server should say that it lives
const TOLD = 8000; // milliseconds for which good news stands there
const FLAG = "choirmaster-restarted";
const RUN = "choirmaster-instance"; // of the server, as this tab of the browser knew it last

let instance = null; // the run of the server that this page belongs to
let away = false;
let wasAway = false; // now, or until some seconds ago: Gradio may load the page anew for that
let forgetting = 0;
let looking = false;
let leaving = false;
let unloading = false; // what a page that is left breaks off says nothing about the server
let timer = 0;
const restarted = session.get(FLAG) !== null;

// The first look comes before Gradio has made its components.
const tell = (words, kind = "") => {
  const place = document.getElementById("connection");
  if (!place) return;
  let said = place.querySelector(".connection");
  if (!said) {
    if (!words) return;
    said = document.createElement("div");
    place.append(said);
  }
  said.className = `connection ${kind}`;
  said.setAttribute("role", kind === "good" ? "status" : "alert");
  if (said.textContent !== words) said.textContent = words;
};

const tellForAWhile = (words) => {
  tell(words, "good");
  setTimeout(() => !away && tell(""), TOLD);
};

const setAway = (words) => {
  away = wasAway = true;
  document.body.classList.add("server-away"); // Gradio's own word about it would only cover ours
  tell(words);
};

const isLetIn = async () => {
  const answer = await fetch("/page/early.js", { method: "HEAD", cache: "no-store" });
  return answer.status !== 401 && answer.status !== 403;
};

const KEYLESS =
  "The server asks for a key that this page does not have. Open it again with ?key=KEY in its address; " +
  "what you typed is kept until this tab is closed.";

const heard = async (found) => {
  const first = instance === null;
  if (!first && found.instance === instance && !away) return;
  if (!(await isLetIn())) {
    setAway(KEYLESS);
    return;
  }
  if (!first && found.instance !== instance) {
    leaving = true;
    window.location.reload();
    return;
  }
  instance = found.instance;
  const known = session.get(RUN);
  session.set(RUN, instance);
  if (first && restarted && known !== instance) tellForAWhile("The server was restarted; the page was loaded anew.");
  else if (away || (first && restarted)) tellForAWhile("The server answers again.");
  away = false;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => (wasAway = away), TOLD);
  document.body.classList.remove("server-away");
};

const look = async () => {
  if (looking || leaving) return;
  looking = true;
  clearTimeout(timer);
  try {
    const answer = await asked("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const found = await answer.json();
    if (answer.ok) await heard(found);
    else if (found.detail) throw new Error(found.detail);
    else throw new TypeError("something between here and the server answered");
  } catch (error) {
    if (leaving || unloading) return;
    // Only the server itself says what is wrong with it; what a browser says of a connection helps nobody.
    const own = error instanceof Error && error.constructor === Error ? `The server is in trouble: ${error.message}.` : "";
    setAway(own || "The server does not answer. What you typed is kept; trying again…");
  } finally {
    looking = false;
    if (document.visibilityState === "visible") timer = setTimeout(look, EVERY);
  }
};

// Whoever asks the server and gets no answer is the first to know.
const asked = window.fetch.bind(window);
window.fetch = async (...given) => {
  try {
    return await asked(...given);
  } catch (error) {
    if (error.name !== "AbortError" && !leaving) setTimeout(look);
    throw error;
  }
};
window.choirmaster.listen("connection", look); // as from an EventSource that broke off

document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
window.addEventListener("online", look);
window.addEventListener("offline", look);
window.addEventListener("beforeunload", () => {
  unloading = true;
  setTimeout(() => (unloading = false), PATIENCE); // a download is no leaving
});
window.addEventListener("pagehide", () => {
  if (leaving || wasAway) {
    session.set(FLAG, "1");
    keepTyped();
  } else {
    session.remove(FLAG); // it is for one load; by the next, all that asks for it has
    forgetTyped();
  }
});
// Once the Sing tab has filled in what it found, which may be older.
if (restarted) window.choirmaster.listen("draft", () => requestAnimationFrame(() => requestAnimationFrame(bringBackTyped)));

const begin = () => {
  if (!document.getElementById("connection")) return false;
  look();
  return true;
};
const watch = new MutationObserver(() => begin() && watch.disconnect());
if (!begin()) watch.observe(document.documentElement, { childList: true, subtree: true });
