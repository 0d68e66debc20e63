// Draw how loud something is over its length, and how far it has been played. Colours come from the style sheet.

export const PEAKS_A_SECOND = 25;

/** Peaks (0..1) of mono samples, PEAKS_A_SECOND of them a second, however they arrive. */
export class Peaks {
  constructor(sampleRate) {
    this.size = Math.max(1, Math.round(sampleRate / PEAKS_A_SECOND));
    this.values = [];
    this.left = 0;
  }

  add(samples) {
    for (const sample of samples) {
      if (!this.left) {
        this.values.push(0);
        this.left = this.size;
      }
      const last = this.values.length - 1;
      this.values[last] = Math.max(this.values[last], Math.abs(sample));
      this.left -= 1;
    }
    return this.values;
  }
}

/** `played` and `least` in peaks: bars before `played` are in full colour; the canvas is `least` peaks wide at the least. */
export function draw(canvas, peaks, { played = Infinity, least = 0 } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  const bar = 3 * ratio;
  const step = 5 * ratio;
  const bars = Math.floor(width / step);
  const span = Math.max(peaks.length, least, 1);
  for (let place = 0; place < bars; place += 1) {
    const from = Math.floor((place * span) / bars);
    const to = Math.max(from + 1, Math.floor(((place + 1) * span) / bars));
    let peak = 0;
    for (let index = from; index < to && index < peaks.length; index += 1) peak = Math.max(peak, peaks[index]);
    const tall = Math.max(bar, Math.sqrt(peak) * height);
    context.globalAlpha = from >= peaks.length ? 0.15 : from < played ? 1 : 0.4;
    context.beginPath();
    context.roundRect(place * step, (height - tall) / 2, bar, tall, bar / 2);
    context.fill();
  }
}
