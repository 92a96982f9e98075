// Attention maps as they come from the server, and what is drawn of them: rows of words, means over heads, shares.
// Knows numbers, no pixels.

// The value of every float16, by its bits.
const FLOAT16 = Float32Array.from({ length: 65536 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
});

// Base64 of little-endian float16, as their bits.
export const readBits = (text) => {
  const raw = atob(text);
  const bits = new Uint16Array(raw.length >> 1);
  for (let at = 0; at < bits.length; at++) bits[at] = raw.charCodeAt(2 * at) | (raw.charCodeAt(2 * at + 1) << 8);
  return bits;
};
export const readFloats = (text) => Float32Array.from(readBits(text), (bits) => FLOAT16[bits]);

// A word is a sink where it takes more than this of the attention on words, on average; of few words one always does.
const SINK_SHARE = 0.5;
const SINK_WORDS = 4;
const MEANS = ["aligned", "all"];

// The maps of one song. `frames`: step -> bits of [heads, bins, tokens], and sums over time [heads, tokens]; `watched`:
// how many heads are; `limit`: what the server leaves out of them while it sings, in words.
export class Maps {
  constructor({ words, tokens, heads, aligned = [], steps = 0, edges = null, seconds = 0, watched = heads.length, limit = null }) {
    Object.assign(this, { words, tokens, heads, total: steps, edges, seconds, watched, limit });
    this.align(aligned);
    this.frames = new Map();
    this.rows = describeRows(words, tokens);
    this.changes = 0;
    this.peaks = new Map();
  }

  // From the JSON of a song that is done.
  static stored(found) {
    const { words, tokens, heads, edges, steps, shape } = found;
    const maps = new Maps({ words, tokens, heads, edges, aligned: found.alignment_heads, steps: steps.at(-1) || 0 });
    const bits = readBits(found.data);
    const size = shape[1] * shape[2] * shape[3];
    steps.forEach((step, at) => maps.#keep(step, bits.subarray(at * size, (at + 1) * size), shape[2]));
    return maps;
  }

  // One step of a song that is being sung. The same step again changes nothing.
  add(step, packed) {
    if (this.frames.has(step)) return false;
    this.#keep(step, readBits(packed.data), packed.shape[1]);
    return true;
  }

  // Tell which heads, as pairs of layer and head, follow the words.
  align(heads) {
    const known = new Set(heads.map(String));
    this.aligned = this.heads.flatMap((head, at) => (known.has(String(head)) ? [at] : []));
  }

  get steps() {
    return [...this.frames.keys()].sort((one, other) => one - other);
  }

  get bins() {
    return this.edges.length - 1;
  }

  // Whether a choice of heads can be made here.
  has(choice) {
    return choice === "all" || (choice === "aligned" ? this.aligned.length > 0 : this.heads.some((head) => String(head) === choice));
  }

  // Places of the heads that a choice stands for: "aligned", "all", or one as "layer,head".
  chosen(choice) {
    const all = this.heads.map((_, at) => at);
    if (choice === "all") return all;
    const one = this.heads.findIndex((head) => String(head) === choice);
    if (one >= 0) return [one];
    return this.aligned.length ? this.aligned : all;
  }

  // Rows that are drawn: words, and with `sinks` all else; `hidden`: words that are left out as sinks.
  shown(choice, hideSinks) {
    if (!hideSinks) return { rows: this.rows, hidden: [] };
    const words = this.rows.filter((row) => row.word >= 0);
    const sums = words.map((row) => this.#sum(row, this.chosen(choice)));
    const all = sums.reduce((sum, value) => sum + value, 0);
    const sinks = new Set(words.filter((_, at) => words.length >= SINK_WORDS && sums[at] > SINK_SHARE * all));
    return { rows: words.filter((row) => !sinks.has(row)), hidden: [...sinks].map((row) => row.text) };
  }

  // The mean over heads at one step: [bins, rows], and what it leaves out of every moment's attention.
  reduce(step, heads, rows, renormalise) {
    const { bits } = this.frames.get(step);
    const tokens = this.tokens.length;
    const [bins, count] = [this.bins, rows.length];
    const rowOf = new Int32Array(tokens).fill(-1);
    rows.forEach((row, at) => row.tokens.forEach((token) => (rowOf[token] = at)));
    const values = new Float32Array(bins * count);
    const discarded = new Float32Array(bins);
    for (const head of heads) {
      for (let bin = 0, at = head * bins * tokens; bin < bins; bin++) {
        for (let token = 0; token < tokens; token++, at++) {
          if (rowOf[token] >= 0) values[bin * count + rowOf[token]] += FLOAT16[bits[at]] / heads.length;
        }
      }
    }
    for (let bin = 0; bin < bins; bin++) {
      const moment = values.subarray(bin * count, (bin + 1) * count);
      const mass = moment.reduce((sum, value) => sum + value, 0);
      discarded[bin] = Math.max(0, Math.min(1, 1 - mass));
      if (renormalise && mass > 0) for (let at = 0; at < count; at++) moment[at] /= mass;
    }
    return { values, discarded, bins, rows: count };
  }

  // The largest value of any head, or of the mean over some heads, at any step so far: the top of a scale that all
  // pictures share.
  peak(rows, renormalise, heads = null) {
    let most = 0;
    for (const step of this.frames.keys()) {
      const key = `${step} ${renormalise} ${heads} ${rows.map((row) => row.tokens[0])}`;
      if (!this.peaks.has(key)) {
        if (this.peaks.size > 2000) this.peaks.clear();
        const pictures = heads ? [heads] : this.heads.map((_, head) => [head]);
        const tops = pictures.map((one) => largest(this.reduce(step, one, rows, renormalise).values));
        this.peaks.set(key, Math.max(0, ...tops));
      }
      most = Math.max(most, this.peaks.get(key));
    }
    return most;
  }

  #keep(step, bits, bins) {
    this.edges ||= Array.from({ length: bins + 1 }, (_, at) => (at * this.seconds) / bins);
    const tokens = this.tokens.length;
    const sums = new Float64Array(this.heads.length * tokens);
    for (let head = 0, at = 0; head < this.heads.length; head++) {
      for (let bin = 0; bin < bins; bin++) {
        for (let token = 0; token < tokens; token++, at++) sums[head * tokens + token] += FLOAT16[bits[at]];
      }
    }
    this.frames.set(step, { bits, sums });
    this.total = Math.max(this.total, step);
    this.changes += 1;
  }

  #sum(row, heads) {
    let sum = 0;
    for (const { sums } of this.frames.values()) {
      for (const head of heads) for (const token of row.tokens) sum += sums[head * this.tokens.length + token];
    }
    return sum;
  }
}

export const largest = (values) => values.reduce((most, value) => (value > most ? value : most), 0);
export const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0);

// A choice of heads in words.
export const nameChoice = (maps, choice) => {
  if (!MEANS.includes(choice)) return `layer ${choice.split(",")[0]} head ${choice.split(",")[1]}`;
  const chosen = maps.chosen(choice);
  const count = chosen.length;
  if (count === 1) return nameChoice(maps, String(maps.heads[chosen[0]]));
  return choice === "aligned" && maps.aligned.length ? `mean of the ${count} heads that follow the words` : `mean of all ${count} heads`;
};

// Tokens in their order as rows: those of a word together, as are structure tokens that follow each other.
const describeRows = (words, tokens) => {
  const rows = [];
  const rowOfWord = new Map();
  tokens.forEach((token, at) => {
    const last = rows.at(-1);
    if (token.word >= 0) {
      if (!rowOfWord.has(token.word)) {
        rowOfWord.set(token.word, { text: words[token.word], word: token.word, line: token.line, tokens: [] });
        rows.push(rowOfWord.get(token.word));
      }
      rowOfWord.get(token.word).tokens.push(at);
    } else if (last && last.word < 0) {
      last.text += token.text;
      last.tokens.push(at);
    } else {
      rows.push({ text: token.text, word: -1, line: token.line, tokens: [at] });
    }
  });
  for (const row of rows) row.text = row.text.replace(/\s+/g, " ").trim() || "⏎";
  return rows;
};

// What stands between two songs and the difference of their maps, or "" where there is nothing.
export const whyApart = (one, other) => {
  if (String(one.words) !== String(other.words)) return "their words differ";
  if (one.tokens.length !== other.tokens.length) return "their words were read as different tokens";
  if (String(one.heads) !== String(other.heads)) return "different heads were watched";
  const [first, second] = [one, other].map((maps) => maps.edges.at(-1));
  if (one.bins !== other.bins || Math.abs(first - second) > 0.01) {
    return `one lasts ${first.toFixed(1)} s and the other ${second.toFixed(1)} s`;
  }
  return "";
};
