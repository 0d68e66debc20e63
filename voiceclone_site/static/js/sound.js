// Where a stream of audio goes: to the loudspeaker from its first piece on where the format allows it.
//
// A sink has push(bytes), end(), stop(), and figures in seconds: received(), played(); `peaks`; `onfirst(lead)` is called once,
// with the seconds until the sound that was just scheduled is heard.

import { Peaks } from "./wave.js";

const LEAD = 0.08; // seconds between scheduling and sounding: enough for a busy page, too little to be noticed

/** Splits a WAV stream into its format and its samples. A length in the header of a stream is a guess and is not believed. */
class WavReader {
  constructor() {
    this.head = new Uint8Array(0);
    this.format = null;
  }

  read(bytes) {
    if (this.format) return bytes;
    this.head = joined(this.head, bytes);
    const view = new DataView(this.head.buffer, this.head.byteOffset, this.head.byteLength);
    let place = 12;
    let format = null;
    while (place + 8 <= view.byteLength) {
      const kind = String.fromCharCode(...this.head.subarray(place, place + 4));
      const length = view.getUint32(place + 4, true);
      if (kind === "fmt " && place + 24 <= view.byteLength) {
        format = { channels: view.getUint16(place + 10, true), sampleRate: view.getUint32(place + 12, true) };
      }
      if (kind === "data") {
        this.format = format;
        return this.head.subarray(place + 8);
      }
      place += 8 + length + (length % 2);
    }
    return new Uint8Array(0);
  }
}

/** 16-bit samples, scheduled piece behind piece without a gap. */
class SampleSink {
  constructor({ reader, sampleRate }) {
    this.reader = reader;
    this.format = reader ? null : { channels: 1, sampleRate };
    this.rest = new Uint8Array(0);
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.next = 0;
    this.startedAt = 0;
    this.seconds = 0;
    this.waited = 0;
    this.peaks = [];
    this.onfirst = () => {};
    this.live = true;
  }

  push(bytes) {
    const fresh = this.reader ? this.reader.read(bytes) : bytes;
    this.format ??= this.reader?.format;
    if (!this.format) return;
    const all = joined(this.rest, fresh);
    const frame = 2 * this.format.channels;
    const whole = all.byteLength - (all.byteLength % frame);
    this.rest = all.slice(whole);
    if (whole) this.schedule(all.slice(0, whole));
  }

  schedule(bytes) {
    const { channels, sampleRate } = this.format;
    const values = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    const length = values.length / channels;
    const buffer = this.context.createBuffer(channels, length, sampleRate);
    for (let channel = 0; channel < channels; channel += 1) {
      const samples = buffer.getChannelData(channel);
      for (let index = 0; index < length; index += 1) samples[index] = values[index * channels + channel] / 32768;
    }
    this.measured ??= new Peaks(sampleRate);
    this.peaks = this.measured.add(buffer.getChannelData(0));
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    const now = this.context.currentTime;
    const first = !this.next;
    if (this.next < now) {
      if (!first) this.waited += now + LEAD - this.next;
      this.next = now + LEAD;
    }
    if (first) {
      this.startedAt = this.next;
      this.onfirst(LEAD + (this.context.outputLatency || 0));
    }
    source.start(this.next);
    this.next += buffer.duration;
    this.seconds += buffer.duration;
  }

  received() {
    return this.seconds;
  }

  played() {
    if (!this.next) return 0;
    return Math.min(this.seconds, Math.max(0, this.context.currentTime - this.startedAt - this.waited));
  }

  end() {}

  stop() {
    if (this.context.state !== "closed") this.context.close();
  }
}

/** MP3 by Media Source Extensions: the browser decodes while it arrives. */
class MediaSink {
  constructor(type) {
    this.queue = [];
    this.peaks = [];
    this.onfirst = () => {};
    this.live = true;
    this.ended = false;
    this.media = new MediaSource();
    this.audio = new Audio(URL.createObjectURL(this.media));
    this.audio.addEventListener("playing", () => this.onfirst(0), { once: true });
    this.media.addEventListener("sourceopen", () => {
      this.buffer = this.media.addSourceBuffer(type);
      this.buffer.addEventListener("updateend", () => this.feed());
      this.feed();
    });
    this.audio.play().catch(() => {});
  }

  push(bytes) {
    this.queue.push(bytes);
    this.feed();
  }

  feed() {
    if (!this.buffer || this.buffer.updating || this.media.readyState !== "open") return;
    if (this.queue.length) this.buffer.appendBuffer(this.queue.shift());
    else if (this.ended) this.media.endOfStream();
  }

  received() {
    return this.audio.buffered.length ? this.audio.buffered.end(this.audio.buffered.length - 1) : 0;
  }

  played() {
    return this.audio.currentTime;
  }

  end() {
    this.ended = true;
    this.feed();
  }

  stop() {
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
  }
}

/** A format that this browser cannot play piece by piece: the stored file is played once it is there. */
class WaitingSink {
  constructor() {
    this.peaks = [];
    this.onfirst = () => {};
    this.live = false;
  }

  push() {}

  received() {
    return 0;
  }

  played() {
    return 0;
  }

  end() {}

  stop() {}
}

/** Call it while the person's click is still being handled: later a browser may not let it sound. `type` is a MIME type. */
export function openSink(type, { sampleRate }) {
  if (type.startsWith("audio/wav")) return new SampleSink({ reader: new WavReader() });
  if (type.startsWith("audio/L16")) return new SampleSink({ sampleRate });
  if (type.startsWith("audio/mpeg") && window.MediaSource?.isTypeSupported("audio/mpeg")) return new MediaSink("audio/mpeg");
  return new WaitingSink();
}

function joined(left, right) {
  if (!left.byteLength) return right;
  const both = new Uint8Array(left.byteLength + right.byteLength);
  both.set(left);
  both.set(right, left.byteLength);
  return both;
}
