// One stream of events for each address, however many hear it: a browser has few connections to a server. Whoever comes
// late is told first what was told before.
const KINDS = ["singing", "step", "decoding", "done", "failed", "cancelled", "judged"];
const open = new Map(); // address -> { source, told, hearers }

const begin = (address) => {
  const stream = { source: new EventSource(address), told: [], hearers: new Set() };
  const tell = (kind, data) => {
    stream.told.push([kind, data]);
    for (const hear of [...stream.hearers]) if (stream.hearers.has(hear)) hear(kind, data);
  };
  for (const kind of KINDS) stream.source.addEventListener(kind, (event) => event.data && tell(kind, JSON.parse(event.data)));
  // The browser asks again by itself, and gives up only where the server knows no such song.
  stream.source.addEventListener("error", () => stream.source.readyState === EventSource.CLOSED && tell("lost", {}));
  open.set(address, stream);
  return stream;
};

// Call `hear(kind, data)` with all that happens to a song, "lost" where the server tells no more; returns how to stop.
export const hearSong = (song, hear) => {
  const address = `/v1/songs/${encodeURIComponent(song)}/events?attention=true`;
  const stream = open.get(address) || begin(address);
  let left = false;
  queueMicrotask(() => {
    for (const [kind, data] of [...stream.told]) if (!left) hear(kind, data);
    if (!left) stream.hearers.add(hear);
  });
  stream.count = (stream.count || 0) + 1;
  return () => {
    if (left) return;
    left = true;
    stream.hearers.delete(hear);
    stream.count -= 1;
    if (stream.count) return;
    stream.source.close();
    if (open.get(address) === stream) open.delete(address);
  };
};
