// Attention as pixels: a map of words down and time across, the strip of what it leaves out, the axis of time, the bar
// of colours. Draws what it is given, on whatever canvas.

// Make a canvas sharp: `width` and `height` in CSS pixels. Returns its context, scaled so that one unit is one of them.
export const prepare = (canvas, width, height) => {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const [across, down] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, across, down);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, ratio };
};

// The moment of every column of pixels, [first, last]: more than one where moments are narrower than pixels.
const momentsOf = (edges, across) => {
  const [begin, length, bins] = [edges[0], edges.at(-1) - edges[0], edges.length - 1];
  const moments = new Int32Array(2 * across);
  let first = 0;
  for (let x = 0; x < across; x++) {
    if (bins <= across) {
      const time = begin + (length * (x + 0.5)) / across;
      while (first < bins - 1 && edges[first + 1] <= time) first += 1;
      moments[2 * x] = moments[2 * x + 1] = first;
    } else {
      moments[2 * x] = Math.floor((x * bins) / across);
      moments[2 * x + 1] = Math.max(moments[2 * x], Math.ceil(((x + 1) * bins) / across) - 1);
    }
  }
  return moments;
};

// Draw [bins, rows] into a rectangle of device pixels. `tops`: where each row begins and the next one, in device pixels;
// without it rows share the height, and of rows that share a pixel the largest is seen.
export const paint = (context, { values, rows, edges, colours }, box, tops = null) => {
  const image = context.createImageData(box.width, box.height);
  const pixels = new Uint32Array(image.data.buffer);
  const moments = momentsOf(edges, box.width);
  const bands = tops || evenBands(rows, box.height);
  for (const [row, from, to] of bands) {
    for (let x = 0; x < box.width; x++) {
      let sum = 0;
      const [first, last] = [moments[2 * x], moments[2 * x + 1]];
      for (let bin = first; bin <= last; bin++) sum += largestOf(values, bin * rows, row);
      const pixel = colours.table[colours.index(sum / (last - first + 1))];
      for (let y = from; y < to; y++) pixels[y * box.width + x] = pixel;
    }
  }
  context.putImageData(image, box.left, box.top);
};

// Bands of one row each, or of several where there are more rows than pixels: [[first, last], from, to].
const evenBands = (rows, height) =>
  rows <= height
    ? Array.from({ length: rows }, (_, at) => [[at, at], Math.floor((at * height) / rows), Math.floor(((at + 1) * height) / rows)])
    : Array.from({ length: height }, (_, y) => [
        [Math.floor((y * rows) / height), Math.max(Math.floor((y * rows) / height), Math.ceil(((y + 1) * rows) / height) - 1)],
        y,
        y + 1,
      ]);

const largestOf = (values, offset, [first, last]) => {
  let found = values[offset + first];
  for (let row = first + 1; row <= last; row++) if (Math.abs(values[offset + row]) > Math.abs(found)) found = values[offset + row];
  return found;
};

// Times that are marked on an axis of so many pixels, at least 42 apart.
export const ticks = (begin, end, width) => {
  const rough = (end - begin) / Math.max(1, Math.floor(width / 42));
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough) || 1;
  const found = [];
  for (let time = Math.ceil(begin / step) * step; time <= end + 1e-9; time += step) found.push(Number(time.toFixed(6)));
  return found;
};

// Below a map: how much of each moment is left out, as a curve in a band, and the seconds.
export const drawFooting = (canvas, { left, width, total, edges, discarded, look }) => {
  const [band, height] = [18, discarded ? 48 : 26];
  const { context } = prepare(canvas, total, height);
  const [begin, length] = [edges[0], edges.at(-1) - edges[0] || 1];
  let top = 2;
  if (discarded) {
    context.fillStyle = look.chip;
    context.fillRect(left, top, width, band);
    context.fillStyle = look.note;
    for (let bin = 0; bin < discarded.length; bin++) {
      const from = left + ((edges[bin] - begin) / length) * width;
      const to = left + ((edges[bin + 1] - begin) / length) * width;
      const tall = discarded[bin] * band;
      context.fillRect(from, top + band - tall, Math.max(0.6, to - from + 0.3), tall);
    }
    context.fillStyle = look.faint;
    context.font = `11px ${look.font}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("left out", left - 6, top + band / 2);
    top += band + 2;
  }
  context.fillStyle = look.faint;
  context.strokeStyle = look.faint;
  context.font = `12px ${look.font}`;
  context.textBaseline = "top";
  for (const time of ticks(begin, begin + length, width)) {
    const x = left + ((time - begin) / length) * width;
    context.fillRect(Math.round(x), top, 1, 4);
    const text = `${time} s`;
    const half = context.measureText(text).width / 2;
    context.textAlign = "center";
    context.fillText(text, Math.min(Math.max(x, left - 4 + half), left + width - half), top + 7);
  }
  return height;
};

// A bar of all colours with their numbers.
export const drawBar = (canvas, { width, colours, look, write }) => {
  const [inset, tall, height] = [16, 10, 30];
  const { context, ratio } = prepare(canvas, width, height);
  const long = Math.max(1, width - 2 * inset);
  const image = context.createImageData(Math.max(1, Math.round(long * ratio)), Math.round(tall * ratio));
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < pixels.length; at++) pixels[at] = colours.table[Math.floor((256 * (at % image.width)) / image.width)];
  context.putImageData(image, Math.round(inset * ratio), 0);
  context.strokeStyle = look.line;
  context.strokeRect(inset - 0.5, 0.5, long + 1, tall - 1);
  context.fillStyle = look.faint;
  context.font = `12px ${look.font}`;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const [place, value] of colours.marks) {
    context.fillRect(Math.round(inset + place * long), tall, 1, 3);
    context.fillText(write(value), Math.min(Math.max(inset + place * long, 18), width - 18), tall + 6);
  }
};

// A share for people: 12 %, 0.4 %, +3.1 %.
export const percent = (share, signed = false) => {
  const value = 100 * share;
  const size = Math.abs(value);
  const digits = size === 0 || size >= 9.95 ? 0 : size >= 0.095 ? 1 : size >= 0.0095 ? 2 : 3;
  const text = value.toFixed(digits);
  return `${signed && value > 0 ? "+" : ""}${text.replace("-", "−")} %`;
};
