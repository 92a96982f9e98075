// A map in words, for whoever does not see it.
import { percent } from "./attention-draw.js";
import { make } from "./elements.js";

// For every row the moment of its strongest attention, and how strong that is.
export const strongest = ({ values, bins, rows }, edges) =>
  Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let bin = 1; bin < bins; bin++) if (values[bin * rows + row] > values[best * rows + row]) best = bin;
    return { time: (edges[best] + edges[best + 1]) / 2, value: values[best * rows + row] };
  });

// One sentence about a map.
export const summarise = ({ name, step, total, rows, left, reduced, edges, renormalise }) => {
  const tops = strongest(reduced, edges);
  const first = rows.length ? ` “${rows[0].text}” is looked at most at ${tops[0].time.toFixed(1)} s, “${rows.at(-1).text}” at ${tops.at(-1).time.toFixed(1)} s.` : "";
  return (
    `Attention to ${rows.length} words over ${edges.at(-1).toFixed(1)} seconds, ${name}, step ${step} of ${total}; ` +
    `${percent(left)} of all attention is left out${renormalise ? ", the rest is made to sum to one" : ""}.${first} ` +
    "Arrow keys move through time and words, and the song with them."
  );
};

export const fillTable = (place, reduced, rows, edges) => {
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const text of ["Word", "Most at", "Attention there"]) head.append(make("th", { scope: "col" }, text));
  const body = table.createTBody();
  strongest(reduced, edges).forEach(({ time, value }, at) => {
    const row = body.insertRow();
    row.append(make("th", { scope: "row" }, rows[at].text));
    row.insertCell().textContent = `${time.toFixed(2)} s`;
    row.insertCell().textContent = percent(value);
  });
  place.replaceChildren(table);
};
