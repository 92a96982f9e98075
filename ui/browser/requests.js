// The API asked from the page, and what it answers: data, or what is wrong, in sentences by field.

// What is wrong with a request comes under the status 200, with its own inside (`api/quiet_problems.py`): for everything
// else a browser would write an error into its console.
const HEADERS = { Accept: "application/json", Prefer: "problems-as-200" };
const SILENT = "The server does not answer: try again when it is back.";

// Sentences by field of a problem; what no field is to blame for stands under "".
export const faultsOf = (problem) => {
  const faults = {};
  for (const { field, detail } of problem.errors || []) {
    const name = field.split(".")[0]; // `composition.lyrics` is about the composition
    (faults[name] = faults[name] || []).push(detail);
  }
  if (!Object.keys(faults).length) faults[""] = [problem.detail || SILENT];
  return faults;
};

const read = (answered, quiet, text) => {
  let data = {};
  try {
    data = JSON.parse(text);
  } catch {
    data = {}; // something between here and the server answered
  }
  const status = quiet ? Number(data.status) || 500 : answered;
  const ok = status >= 200 && status < 300;
  return { ok, status, data, faults: ok ? {} : faultsOf(data) };
};

// Ask with JSON, or without a body. Never throws but where `signal` aborts it.
export const ask = async (method, path, body, signal) => {
  const options = { method, signal, cache: "no-store", headers: { ...HEADERS } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(path, options);
    return read(answer.status, answer.headers.has("Preference-Applied"), await answer.text());
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return read(0, false, "");
  }
};

// Send a form with files; `advance` gets the share that has been sent. Returns how to cancel it, and the answer, which
// is null once it was cancelled.
export const upload = (path, form, advance) => {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve) => {
    request.upload.onprogress = (event) => event.lengthComputable && advance(event.loaded / event.total);
    const isQuiet = () => request.getResponseHeader("Preference-Applied") !== null;
    request.onload = () => resolve(read(request.status, isQuiet(), request.responseText));
    request.onerror = () => resolve(read(0, false, ""));
    request.onabort = () => resolve(null);
  });
  request.open("POST", path);
  for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value);
  request.send(form);
  return { answer, cancel: () => request.abort() };
};

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

// Bytes as a person reads them, in powers of ten.
export const sizeText = (bytes) => {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
};

const AGES = [[60, "minute"], [3600, "hour"], [86400, "day"]];

// How long ago a time was, as text.
export const ageText = (time) => {
  const seconds = (Date.now() - new Date(time).getTime()) / 1000;
  const found = AGES.filter(([long]) => seconds >= long).pop();
  if (!found) return "just now";
  const count = Math.floor(seconds / found[0]);
  return `${count} ${found[1]}${count === 1 ? "" : "s"} ago`;
};
