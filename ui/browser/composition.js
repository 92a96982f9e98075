// Compositions as text and as weights: `lyrics=0.6,nolyrics=0.4`. The server has the last word on what is one.
const PART = /^([a-z0-9-]{1,64})(?:\s*=\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))?$/i;

// Weights by name, or null where the text is no composition.
export const parse = (text) => {
  const weights = new Map();
  for (const part of text.split(",").map((one) => one.trim()).filter(Boolean)) {
    if (part === "base") continue;
    const found = PART.exec(part);
    if (!found || weights.has(found[1])) return null;
    weights.set(found[1], found[2] === undefined ? 1 : Number(found[2]));
  }
  return weights;
};

export const format = (weights) =>
  [...weights].map(([name, weight]) => `${name}=${Number(Number(weight).toFixed(4))}`).join(",");
