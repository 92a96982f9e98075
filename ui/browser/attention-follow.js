// Where maps come from: a song that is done, any address of the same JSON, or a song while it is sung.
import { Maps } from "./attention-data.js";
import { ask } from "./requests.js";
import { hearSong } from "./streams.js";

// What is to be said to whoever looks. `passing`: the song may still get maps.
export class Told extends Error {
  constructor(said, status = 0) {
    super(said);
    this.status = status;
  }
}

const MOST_KEPT = 4;
const kept = new Map(); // address -> Maps, so that a page that is drawn anew shows them at once

export const addressOf = ({ song, src }) => src || `/v1/songs/${encodeURIComponent(song)}/attention?format=json`;
export const keptMaps = (address) => kept.get(address);

const load = async (address, signal) => {
  const { ok, status, data } = await ask("GET", address, undefined, signal);
  if (ok) return data;
  if (!status) throw new Told("The server cannot be reached.");
  throw new Told(data.detail ? sentence(data.detail) : `The server answered ${status}.`, status);
};

// The maps at an address. Throws Told where there are none.
export const loadMaps = async (address, signal) => {
  if (kept.has(address)) return kept.get(address);
  const maps = Maps.stored(await load(address, signal));
  if (!maps.words.length) throw new Told("This song has no words that attention could be on.");
  if (!maps.frames.size) throw new Told("No attention maps were kept of this song.");
  kept.set(address, maps);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return maps;
};

// The state of a song, and which maps it keeps: "none", "last" or "all".
export const askSong = async (song, signal) => {
  const standing = await load(`/v1/songs/${encodeURIComponent(song)}`, signal);
  const wish = standing.request ? standing.request.attention : undefined;
  return { state: standing.state, keeps: wish === null ? "none" : (wish && wish.steps) || "last" };
};

// Layer and head of those that follow the words, in the model that sings here.
let aligned = null;
export const askAligned = async (signal) => (aligned ||= (await load("/v1/presets", signal)).alignment_heads);

// Follow a song while it is sung. `begun(maps)`; `stepped(step, steps, hasMap)`; `ended(kind, error)`, once.
export const follow = (song, { begun, stepped, decoding, ended }, signal) => {
  let maps = null;
  const end = (kind, error = "") => {
    leave();
    if (!signal.aborted) ended(kind, error);
  };
  const heard = {};
  const hear = (kind, then) => (heard[kind] = then);
  hear("singing", (data) => {
    if (maps) return; // told again after a connection was lost
    maps = new Maps(data);
    begun(maps);
  });
  hear("step", (data) => {
    const packed = data.attention;
    const isNew = Boolean(maps && packed && packed.shape[2] === maps.tokens.length && maps.add(data.step, packed));
    stepped(data.step, data.steps, isNew);
  });
  hear("decoding", () => decoding());
  hear("done", () => end("done"));
  for (const kind of ["failed", "cancelled"]) hear(kind, (data) => end(kind, data.error || ""));
  hear("lost", () => end("lost"));
  const leave = hearSong(song, (kind, data) => !signal.aborted && heard[kind]?.(data));
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave);
};

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
